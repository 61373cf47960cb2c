package consumer

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

// A subscription that was made by a message to the running consumer came too late: on a near broker the first
// record had failed by then, and its Failed event was missing. Whoever listens before Run misses nothing.
func TestEventsFromTheFirstOne(t *testing.T) {
	var b broadcast
	early := b.listen(t.Context(), 2)
	b.publish(&messages.Parked{Reason: "first"})
	b.publish(&messages.Parked{Reason: "second"})
	b.publish(&messages.Parked{Reason: "missed: the buffer is full"})
	b.end()
	late := b.listen(t.Context(), 2)
	var got []string
	for e := range early {
		switch e := e.(type) {
		case *messages.Parked:
			got = append(got, e.Reason)
		case *messages.Missed:
			got = append(got, fmt.Sprint(e.Count, " missed"))
		}
	}
	if !slices.Equal(got, []string{"first", "second", "1 missed"}) {
		t.Errorf("got %v", got)
	}
	if _, open := <-late; open {
		t.Error("a listener that comes after the end was not told so")
	}
}

func TestEventsEndWithTheirContext(t *testing.T) {
	var b broadcast
	ctx, cancel := context.WithCancel(t.Context())
	out := b.listen(ctx, 1)
	cancel()
	if _, open := <-out; open {
		t.Error("an event came from nowhere")
	}
	b.publish(&messages.Parked{}) // must not send on the closed channel
	b.end()
}
