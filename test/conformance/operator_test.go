package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// do gives a command, which has to be carried out.
func (m *member) do(cmd messages.Command) *messages.Result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := m.Do(ctx, cmd)
	if err != nil {
		m.t.Fatalf("%s: %T %+v: %v", m.name, cmd, cmd, err)
	}
	return res
}

// TestOperatorTooLate: what an operator says of a head that is gone, or not there yet, is refused, and nothing is done to the one
// of now. Of two who say the same at once, one is obeyed.
func TestOperatorTooLate(t *testing.T) {
	const each = 20
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, each)
	l := newLedger(1, each)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))}
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset%5 == 2 && rec.Attempt == 0 {
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	for head := int64(2); head < each; head += 5 {
		eventually(t, "it is parked", func() bool { return a.partitions(messages.StateParked)[0].Head == head })
		for _, offset := range []int64{head - 5, head - 1, head + 1} {
			at := messages.Head{Topic: topic, Offset: offset}
			for _, cmd := range []messages.Command{
				&messages.RetryHead{Head: at}, &messages.SkipHead{Head: at}, &messages.ParkHead{Head: at}, &messages.DeadLetterHead{Head: at, To: topic},
			} {
				res, err := a.Do(t.Context(), cmd)
				var gone *actors.HeadError
				if !errors.As(err, &gone) || gone.Have != head || res == nil || res.Head.Offset != head {
					t.Errorf("%T at %d: %v", cmd, offset, err)
				}
			}
		}
		obeyed := make(chan bool, 2)
		for _, who := range []string{"ann", "bob"} {
			go func() {
				_, err := a.Do(context.WithoutCancel(t.Context()), &messages.RetryHead{Head: messages.Head{Topic: topic, Offset: head}, By: who})
				obeyed <- err == nil
			}()
		}
		if first, second := received(t, obeyed, "one is answered"), received(t, obeyed, "the other one is answered"); first == second {
			t.Errorf("both were obeyed, or neither: %v", first)
		}
	}
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
	if unparked := told[*messages.Unparked](a); len(unparked) != each/5 {
		t.Errorf("un-parked %d times, want %d", len(unparked), each/5)
	}
	if got := k.committed("g-"+topic, topic)[0]; got != each {
		t.Errorf("committed %d, want %d", got, each)
	}
}

// TestOperatorParkThroughRebalances: a parked head goes from owner to owner, eleven of them in more than ten rebalances, and
// is not handled by any, whether it has failed or an operator has parked it before anybody tried it; the other
// partition runs on. An operator has the last owner go on, and nothing is lost.
func TestOperatorParkThroughRebalances(t *testing.T) {
	for name, attempts := range map[string]int{"by the policy": 1, "by an operator": 0} {
		t.Run(name, func(t *testing.T) {
			alongside(t)
			const owners, each = 11, 5
			k := cluster(t)
			topic := k.topic(2)
			group := "g-" + topic
			l := newLedger(2, owners*each)
			join := func(n int) *member {
				who := fmt.Sprint("m", n)
				cfg := k.config(who, group, topic)
				cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))}
				cfg.Handler = l.keeps(who, func(_ context.Context, rec *consumer.Record) error {
					if rec.Partition == 0 && rec.Offset == 0 && rec.Attempt < attempts {
						return errStumble
					}
					return nil
				})
				return start(t, who, cfg)
			}
			one := join(0)
			one.owns(2)
			head := messages.Head{Topic: topic, Offset: 0}
			reason := "needs a human"
			if attempts == 0 {
				one.do(&messages.ParkHead{Head: head, Reason: "not yet", By: "ann"})
				reason = "not yet (by ann)"
			}
			for n := 1; ; n++ {
				k.fill(topic, 2, (n-1)*each, n*each)
				eventually(t, "it is parked, and the neighbour runs on", func() bool {
					p, ok := one.partitions(messages.StateParked)[0]
					return ok && p.Head == 0 && p.Attempt == attempts && p.Reason == reason && l.next(1) == int64(n*each)
				})
				if n == owners {
					break
				}
				next := join(n)
				next.owns(1)
				one.owns(1)
				one.leave()
				one = next
				one.owns(2)
			}
			tries := l.calls(func(t try) bool { return t.partition == 0 })
			if len(tries) != attempts {
				t.Errorf("while it was parked it was handled: %+v", tries)
			}
			one.do(&messages.RetryHead{Head: head, By: "ann"})
			eventually(t, "all are processed", l.done)
			one.leave()
			l.clean(t)
			if at := k.committed(group, topic); at[0] != owners*each || at[1] != owners*each {
				t.Errorf("committed %v, want %d on both", at, owners*each)
			}
		})
	}
}

// TestOperatorParksWhatHangs: a handler hangs, its record is parked, and the process is killed. Its next owner does not try the
// record; an operator skips it, and the rest is handled.
func TestOperatorParksWhatHangs(t *testing.T) {
	t.Parallel() // it waits for a session
	const each, bad = 6, int64(2)
	k := cluster(t)
	topic := k.topic(1)
	group := "g-" + topic
	k.fill(topic, 1, 0, each)
	l := newLedger(1, each)
	hang := newGate()
	defer hang.release()
	cfg := k.config("a", group, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == bad {
			<-hang.open
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "it hangs, and what was before it is committed", func() bool { return len(l.running("a")) == 1 && a.partitions()[0].Committed == bad })
	head := messages.Head{Topic: topic, Offset: bad}
	commits := a.partitions()[0].Counters.Commits
	if res := a.do(&messages.ParkHead{Head: head, Reason: "it hangs", By: "ann"}); res.State != messages.StateBusy {
		t.Errorf("answered %+v", res)
	}
	eventually(t, "the park is committed", func() bool { return a.partitions()[0].Counters.Commits > commits })
	a.Kill()
	received(t, a.ended, "a ends")

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "it is parked at the next owner, which has fetched it", func() bool {
		p, ok := b.partitions(messages.StateParked)[0]
		return ok && p.Head == bad && p.Attempt == 0 && p.Reason == "it hangs (by ann)" && p.Depth > 0
	})
	hang.release()
	eventually(t, "the handler that was left behind has returned", func() bool { return len(l.running("a")) == 0 })
	if calls := l.calls(by("b")); len(calls) > 0 {
		t.Errorf("while it was parked, b has handled %v", attempts(calls))
	}
	l.expect(0, bad+1, each)
	b.do(&messages.SkipHead{Head: head, By: "ann"})
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
	if at := k.committed(group, topic)[0]; at != each {
		t.Errorf("committed %d, want %d", at, each)
	}
}

// TestOperatorPauseThroughRebalances: a member that is paused handles nothing, however often its partitions go and come back.
// What the other member gets meanwhile is handled there: the pause is not the group's. Then it is resumed.
func TestOperatorPauseThroughRebalances(t *testing.T) {
	const rounds, each = 6, 10
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	l := newLedger(2, rounds*each+each)
	cfg := k.config("a", group, topic)
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(2)
	if res := a.do(&messages.Pause{Topic: topic, By: "ann"}); len(res.Partitions) != 2 || !res.Partitions[0].Changed {
		t.Errorf("answered %+v", res)
	}
	cfg.Handler = l.keeps("b", nil)
	for n := range rounds {
		k.fill(topic, 2, n*each, n*each+each)
		cfg.Logger = k.journal.logger("b")
		b := start(t, "b", cfg)
		eventually(t, "b handles what it has got", func() bool { return l.next(0) == int64(n*each+each) || l.next(1) == int64(n*each+each) })
		b.owns(1)
		b.leave()
		eventually(t, "they come back, and are paused", func() bool {
			p := a.partitions(messages.StatePaused)
			return len(p) == 2 && p[0].PausedBy == "ann" && p[1].PausedBy == "ann" && p[0].Depth > 0 == (l.next(0) < int64(n*each+each))
		})
	}
	k.fill(topic, 2, rounds*each, rounds*each+each)
	eventually(t, "more is fetched", func() bool { p := a.partitions(); return p[0].Depth > 0 && p[1].Depth > 0 })
	if calls := l.calls(by("a")); len(calls) > 0 {
		t.Errorf("while it was paused, a has handled %+v", calls)
	}
	a.do(&messages.Resume{Topic: topic, By: "bob"})
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
	if at := k.committed(group, topic); at[0] != rounds*each+each || at[1] != rounds*each+each {
		t.Errorf("committed %v, want %d on both", at, rounds*each+each)
	}
	if p, r := told[*messages.Paused](a), told[*messages.Resumed](a); len(p) != 1 || p[0].By != "ann" || len(r) != 1 || r[0].By != "bob" {
		t.Errorf("events %+v, %+v", p, r)
	}
}
