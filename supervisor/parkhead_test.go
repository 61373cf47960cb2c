package supervisor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// An operator parks a head that nobody has tried: it is never handled, through ten owners, until somebody un-parks it.
func TestParkHeadThroughTenRebalances(t *testing.T) {
	for name, before := range map[string]string{"fetched": "b", "not fetched yet": ""} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				if before != "" {
					if err := k.Pause("orders"); err != nil {
						t.Fatal(err)
					}
					p.Append(before)
				}
				res := k.Do(&messages.ParkHead{Head: p.Head(1), Reason: "customer is not known yet", By: "ann"})
				if res.Err != nil || res.State != messages.StateParked || res.Head != p.Head(1) {
					t.Fatalf("answered %+v", res)
				}
				if err := k.Resume("orders"); err != nil {
					t.Fatal(err)
				}
				if before == "" {
					p.Append("b")
				}
				for range 10 {
					p.Append("c")
					p.Revoke()
					k.Advance(time.Hour)
					p = k.Assign("orders", 0)
					s := p.Status()
					if s.State != messages.StateParked || s.Reason != "customer is not known yet (by ann)" || s.Head != 1 || s.Attempt != 0 {
						t.Fatalf("%+v", s)
					}
					expect(t, "deliveries", attempts(p), "")
				}
				expect(t, "committed", p.Committed(), 1)
				if err := p.Retry(1); err != nil {
					t.Fatal(err)
				}
				expect(t, "handled", len(p.Offsets()), 11)
				if c := lastCommit(t, p); c.Parked || c.Next != 12 {
					t.Errorf("last commit %+v", c)
				}
				if e := eventsOf[*messages.Parked](k); len(e) != 1 || e[0].Head != p.Head(1) || e[0].Reason != "customer is not known yet" || e[0].By != "ann" {
					t.Errorf("events %+v", e)
				}
				if !logged(k, "operator", "ParkHead", "ann") {
					t.Error("not in the log")
				}
			})
		})
	}
}

// A hold becomes a park; the attempts stay.
func TestParkHeadOfAHold(t *testing.T) {
	cfg := config{Handler: failOn(1, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Retry(every(time.Minute)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		if err := p.Park(1, ""); err != nil {
			t.Fatal(err)
		}
		k.Advance(time.Hour)
		if s := p.Status(); s.State != messages.StateParked || s.Reason != "by test" || s.Attempt != 1 {
			t.Errorf("%+v", s)
		}
		if err := p.Skip(1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
	})
}

// A handler hangs; an operator parks its record, and the process is killed: the next owner does not try it. Where it returns
// after all, the record is done, and the park is over.
func TestParkHeadOfAHandlerThatHangs(t *testing.T) {
	for name, returns := range map[string]bool{"for ever": false, "and returns": true} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(time.Hour))}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				if err := p.Park(0, "hangs"); err != nil {
					t.Fatal(err)
				}
				if s := p.Status(); s.State != messages.StateBusy || !strings.Contains(s.Reason, "hangs") {
					t.Errorf("%+v", s)
				}
				if returns {
					k.Advance(time.Hour)
					expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
					if e := eventsOf[*messages.Unparked](k); len(e) != 1 || e[0].Head != p.Head(0) || e[0].By != "" {
						t.Errorf("events %+v", e)
					}
					k.Advance(time.Hour)
					if c := lastCommit(t, p); c.Parked || c.Next != 2 {
						t.Errorf("last commit %+v", c)
					}
					return
				}
				p.Lose(errBoom)
				p = k.Assign("orders", 0)
				k.Advance(time.Hour)
				expect(t, "deliveries", attempts(p), "")
				expect(t, "state", p.Status().State, messages.StateParked)
			})
		})
	}
}

func TestParkHeadIsRefused(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		for _, offset := range []int64{-1, 0, 2} {
			res := k.Do(&messages.ParkHead{Head: p.Head(offset), By: "ann"})
			var head *actors.HeadError
			if !errors.As(res.Err, &head) || head.Have != 1 || res.Head != p.Head(1) {
				t.Errorf("at %d: %+v", offset, res)
			}
		}
		p.Append("b", "c")
		refused := func(p *partition, offset int64, text string) {
			t.Helper()
			if err := p.Park(offset, "why"); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("answered %v, want %q in it", err, text)
			}
		}
		refused(p, 1, "parked already: look")
		expect(t, "the reason", p.Status().Reason, "look")

		k.FailStarts(1, errBoom)
		unknown := k.Assign("orders", 1)
		refused(unknown, -1, "not known at the moment")

		broken := k.Assign("orders", 2)
		broken.Corrupt(0, errBoom)
		broken.Append("x")
		refused(broken, 0, "cannot be read")

	})
}
