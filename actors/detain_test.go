package actors

import (
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// A hold that is detained does not end by its timer, and a skip finds the head where it was.
func TestDetain(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Second)
		r.handle = failFirst
		r.withHandler()
		if _, err := r.box.Detain(0, "maintenance", messages.ClassStore); err == nil {
			t.Error("a partition that runs was detained")
		}
		r.deliver(0, 1)
		if _, err := r.box.Detain(1, "maintenance", messages.ClassStore); err == nil {
			t.Error("another head was detained")
		}
		if got, err := r.box.Detain(0, "maintenance", messages.ClassStore); err != nil || got.Offset != 0 || got.Attempt != 1 {
			t.Errorf("%v, %v", got, err)
		}
		time.Sleep(time.Hour)
		r.said("0/0")
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != "maintenance" {
			t.Errorf("%+v", s)
		}
		if err := r.box.SkipHead(0); err != nil {
			t.Error(err)
		}
		r.said("1/0")
	})
}

// Whoever writes the head elsewhere sees the store's fence on it, as a handler would: also where no handler has seen it.
func TestDetainedHeadsHaveTheFence(t *testing.T) {
	for name, delivered := range map[string]bool{"never delivered": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.verdict = retry(time.Hour)
				r.handle = failFirst
				r.withHandler()
				r.locked(func() { r.box.fence = 7 })
				if !delivered {
					r.box.Park("look at it", messages.ClassHandler)
				}
				r.deliver(0)
				r.locked(func() { r.box.fence = 8 }) // acquired anew
				if got, err := r.box.Detain(0, "a letter", messages.ClassDeadLetter); err != nil || got.Fence != 8 {
					t.Errorf("%v, %v", got.Fence, err)
				}
			})
		})
	}
}
