package consumer

import (
	"math/rand"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

// However slow the reader is: what it reads and what it is told that it has missed are all events, in their order.
func TestWhatIsReadAndMissedIsEverything(t *testing.T) {
	for seed := range int64(500) {
		r := rand.New(rand.NewSource(seed))
		buffer := r.Intn(5)
		o := newOutlet(buffer)
		next, missed := int64(0), 0
		read := func(e messages.Event) {
			switch e := e.(type) {
			case *messages.Missed:
				if e.Count <= 0 {
					t.Fatalf("seed %d: %d missed", seed, e.Count)
				}
				missed += e.Count
				next += int64(e.Count)
			case *messages.Parked:
				if e.Head.Offset != next {
					t.Fatalf("seed %d: event %d, want %d", seed, e.Head.Offset, next)
				}
				next++
			}
		}
		const events = 50
		for n := range int64(events) {
			o.put(&messages.Parked{Head: messages.Head{Offset: n}})
			for len(o.out) > 0 && r.Intn(3) == 0 {
				read(<-o.out)
			}
		}
		o.end()
		for e := range o.out {
			read(e)
		}
		if next != events || missed == 0 && buffer < 3 {
			t.Fatalf("seed %d: %d of %d events, %d missed, with a buffer of %d", seed, next, events, missed, buffer)
		}
	}
}
