package actors

import "testing"

func TestFifo(t *testing.T) {
	t.Parallel()
	var q fifo
	for round := range 100 {
		for i := range 7 {
			q.push(round*7 + i)
		}
		for i := range 7 {
			if got := q.pop(); got != round*7+i {
				t.Fatalf("%v comes as number %d", got, round*7+i)
			}
		}
		if q.len() != 0 {
			t.Fatal("not empty")
		}
	}
}

// A queue that is never empty must not remember all that went through it.
func TestFifoThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	t.Parallel()
	var q fifo
	for i := range 10 {
		q.push(i)
	}
	for i := range 100_000 {
		q.push(i + 10)
		if got := q.pop(); got != i {
			t.Fatalf("%v comes as number %d", got, i)
		}
	}
	if cap(q.items) > 100 {
		t.Errorf("room for %d, and ten are in it", cap(q.items))
	}
}

func TestFifoGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	var q fifo
	for i := range 10_000 {
		q.push(i)
	}
	for range 10_000 {
		q.pop()
	}
	if cap(q.items) > 1000 {
		t.Errorf("room for %d in an empty queue", cap(q.items))
	}
}
