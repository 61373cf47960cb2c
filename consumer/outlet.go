package consumer

import "github.com/ottla-go/ottla/messages"

// outlet is one listener's channel of events. It never waits: events that find the buffer full are counted, and the count
// is told before the next event that finds room, or at the end. It is not safe for concurrent use; the reading end is.
type outlet struct {
	out    chan messages.Event
	buffer int
	missed int
}

// newOutlet has room for as many events as it is said, one at least, and for two more: the count of those that were missed
// with the event behind it, and a last count before the end.
func newOutlet(buffer int) *outlet {
	buffer = max(buffer, 1)
	return &outlet{out: make(chan messages.Event, buffer+2), buffer: buffer}
}

func (o *outlet) put(e messages.Event) {
	if len(o.out) >= o.buffer {
		o.missed++
		return
	}
	o.tell()
	o.out <- e
}

// end tells what was missed last, and closes the channel.
func (o *outlet) end() {
	o.tell()
	close(o.out)
}

func (o *outlet) tell() {
	if o.missed > 0 {
		o.out <- &messages.Missed{Count: o.missed}
		o.missed = 0
	}
}
