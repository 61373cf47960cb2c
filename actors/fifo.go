package actors

// fifo is a queue of messages that gives its memory back when it is empty.
type fifo struct {
	items []any
	first int
}

func (q *fifo) push(message any) { q.items = append(q.items, message) }
func (q *fifo) len() int         { return len(q.items) - q.first }
func (q *fifo) clear()           { *q = fifo{} }

func (q *fifo) pop() any {
	message := q.items[q.first]
	q.items[q.first] = nil
	q.first++
	if q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
	}
	return message
}
