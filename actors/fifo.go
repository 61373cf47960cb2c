package actors

// fifo is a queue of messages. It does not remember what went through it, nor how long it once was.
type fifo struct {
	items []any
	first int
}

func (q *fifo) len() int { return len(q.items) - q.first }
func (q *fifo) clear()   { *q = fifo{} }

func (q *fifo) push(message any) {
	if len(q.items) == cap(q.items) && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, message)
}

func (q *fifo) pop() any {
	message := q.items[q.first]
	q.items[q.first] = nil
	q.first++
	if q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
		if cap(q.items) > fifoSpare {
			q.items = nil
		}
	}
	return message
}

// fifoSpare is how much room an empty queue keeps.
const fifoSpare = 64
