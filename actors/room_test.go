package actors

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/ottla-go/ottla/messages"
)

func TestRoomByCountAndBytes(t *testing.T) {
	for name, set := range map[string]func(*Settings){
		"records": func(s *Settings) { s.Records = 10 },
		"bytes":   func(s *Settings) { s.Bytes = 10 * from(10).Size(0) },
	} {
		bubbleOf(t, name, func(r *rig) {
			set(&r.set)
			gate := make(chan struct{})
			r.handle = func(context.Context, *messages.Record) error { <-gate; return nil }
			r.withHandler()
			if r.box.Room() <= 0 {
				r.t.Error("no room in an empty backlog")
			}
			r.box.Deliver(r.seek, upTo(10, 18), Extent{})
			if r.box.Room() <= 0 {
				r.t.Error("no room below the high mark")
			}
			r.box.Deliver(r.seek, upTo(19, 39), Extent{}) // a fetch overshoots; nothing is dropped
			if n := r.box.Room(); n != 0 {
				r.t.Errorf("room %d above the high mark", n)
			}
			for range 24 {
				gate <- struct{}{}
			}
			synctest.Wait()
			if n := r.box.Room(); n != 0 || r.wakes != 0 {
				r.t.Errorf("room %d, %d wakes between the marks: it would refill in drops", n, r.wakes)
			}
			gate <- struct{}{}
			synctest.Wait()
			if r.wakes != 1 || r.box.Room() <= 0 {
				r.t.Errorf("%d wakes, room %d at the low mark", r.wakes, r.box.Room())
			}
			close(gate)
			r.wantFirst(40)
		})
	}
}

func TestRoomWhileTheGateIsClosed(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Records = 4
		r.verdict = park
		r.handle = failFirst
		r.withHandler()
		r.deliver(0)
		if r.box.Room() <= 0 {
			t.Error("a parked partition may fetch up to its mark")
		}
		r.deliver(1, 2, 3, 4)
		if n := r.box.Room(); n >= 0 {
			t.Errorf("room %d, want paused for long", n)
		}
		if err := r.box.RetryHead(0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.wakes == 0 {
			t.Error("the source was not told that the partition goes on")
		}
	})
}

func TestRoomBeforeOpenAndAfterClose(t *testing.T) {
	t.Parallel()
	box := NewMailbox(Settings{Context: context.Background(), Records: 10, Bytes: 1000, Budget: NewBudget(1000)})
	if n := box.Room(); n >= 0 {
		t.Errorf("room %d before the start is known", n)
	}
	box.Open(0, 0, Progress{})
	if n := box.Room(); n <= 0 {
		t.Errorf("room %d", n)
	}
	box.Close()
	box.Close()
	if n := box.Room(); n >= 0 {
		t.Errorf("room %d after the end", n)
	}
}
