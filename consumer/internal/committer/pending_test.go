package committer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// twin is what pending decides, told by a dumb reader of the whole history: it keeps no state but what happened.
type twin struct {
	interval time.Duration
	history  []happened
}

type happened struct {
	what    string // note, hurry, drop, sent, answered, finish
	key     int
	urgent  bool
	verdict verdict
	who     conn.Identity
	now     time.Time
}

// of are the events of one key, since it was last dropped.
func (w *twin) of(key int) (all []happened) {
	flying := false
	for _, h := range w.history {
		switch {
		case h.what == "finish" || h.key != key:
			continue
		case h.what == "drop":
			all, flying = nil, false
			continue
		case h.what == "sent":
			flying = true
		case h.what == "answered" && !flying: // the answer to a request from before the drop
			continue
		}
		all = append(all, h)
	}
	return all
}

// dirty: there is a note that no request has had, or the last answer was a failure.
func (w *twin) dirty(key int) bool {
	dirty := false
	for _, h := range w.of(key) {
		switch h.what {
		case "note":
			dirty = true
		case "sent":
			dirty = false
		case "answered":
			dirty = dirty || h.verdict.failed
		}
	}
	return dirty
}

// urgent: some note since the last acknowledgement was, and the request that had it was not acknowledged.
func (w *twin) urgent(key int) bool {
	waiting, flying := false, false
	for _, h := range w.of(key) {
		switch h.what {
		case "note":
			waiting = waiting || h.urgent
		case "sent":
			waiting, flying = false, waiting
		case "answered":
			waiting, flying = waiting || flying && h.verdict.failed, false
		}
	}
	return waiting
}

// pausedUntil counts the failures of its own in a row, from the last one backwards.
func (w *twin) pausedUntil(key int) time.Time {
	var last happened
	row := 0
	events := w.of(key)
	slices.Reverse(events)
	for _, h := range events {
		if h.what == "hurry" && row == 0 {
			return time.Time{}
		}
		if h.what != "answered" {
			continue
		}
		if !h.verdict.failed {
			break
		}
		if !h.verdict.group {
			if row == 0 {
				last = h
			}
			row++
		}
	}
	if row == 0 {
		return time.Time{}
	}
	return last.now.Add(last.verdict.pace.after(row))
}

// held: the last requests all failed for the group, and neither the pause is over nor the identity another one.
func (w *twin) held(who conn.Identity, now time.Time) bool {
	row := 0
	var last happened
	hurried := false
	for _, h := range w.history {
		hurried = hurried || h.what == "hurry"
		if h.what != "finish" {
			continue
		}
		hurried = false
		if last.who != h.who {
			row = 0
		}
		if row++; !h.verdict.failed {
			row = 0
		}
		last = h
	}
	return row > 0 && !hurried && who == last.who && now.Before(last.now.Add(last.verdict.pace.after(row)))
}

func (w *twin) due(who conn.Identity, now time.Time) (all []int) {
	if !who.Valid() || w.held(who, now) {
		return nil
	}
	rush := true
	for _, h := range w.history {
		if h.what == "sent" {
			rush = now.Sub(h.now) >= w.interval
		}
	}
	for key := range keys {
		if w.dirty(key) && !now.Before(w.pausedUntil(key)) {
			all = append(all, key)
			rush = rush || w.urgent(key)
		}
	}
	if !rush {
		return nil
	}
	return all
}

const keys = 4

// Random histories: the same requests as the twin's, and wake never sleeps past one, nor wakes for none.
func TestPendingAgainstTwin(t *testing.T) {
	verdicts := []verdict{
		{}, {}, {},
		{failed: true, group: true, pace: quick},
		{failed: true, group: true, pace: slow},
		{failed: true, pace: slow},
		{failed: true, pace: quick},
		{failed: true, pace: atOnce},
	}
	requests, steps := 0, 0
	for seed := range uint64(600) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		p, w := newPending[int](20*time.Millisecond), &twin{interval: 20 * time.Millisecond}
		now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		who := conn.Identity{Member: "a", Generation: 1}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, step %d of %s: "+format, append([]any{seed, len(w.history), fmt.Sprint(w.history)}, args...)...)
		}
		for range 60 {
			steps++
			switch rnd.IntN(10) {
			case 0, 1, 2:
				key, urgent := rnd.IntN(keys), rnd.IntN(4) == 0
				p.note(key, urgent)
				w.history = append(w.history, happened{what: "note", key: key, urgent: urgent})
			case 3:
				key := rnd.IntN(keys)
				p.drop(key)
				w.history = append(w.history, happened{what: "drop", key: key})
			case 4:
				key := rnd.IntN(keys)
				p.note(key, true)
				p.hurry(key)
				w.history = append(w.history, happened{what: "note", key: key, urgent: true}, happened{what: "hurry", key: key})
			case 5:
				who.Generation = []int32{-1, 1, 2}[rnd.IntN(3)]
			case 6:
				now = now.Add(time.Duration(rnd.IntN(40)) * time.Millisecond)
			case 7:
				now = now.Add(time.Duration(rnd.IntN(40)) * time.Second)
			default:
				at, ok := p.wake(who, now)
				if ok && at.After(now) && len(w.due(who, at)) == 0 {
					fail("wake is %v, and then there is nothing to send", at.Sub(now))
				}
				if ok && at.After(now) && len(w.due(who, at.Add(-1))) > 0 {
					fail("wake is %v, which is late", at.Sub(now))
				}
				if !ok && len(w.due(who, now.Add(time.Hour))) > 0 {
					fail("wake is never, and in an hour there is something to send")
				}
				if ok {
					now = latest(now, at)
				}
			}
			want := w.due(who, now)
			got := slices.Sorted(slices.Values(p.due(who, now)))
			if !slices.Equal(got, want) {
				fail("due is %v, want %v", got, want)
			}
			if len(got) == 0 {
				continue
			}
			requests++
			for _, key := range got {
				p.sent(key, now)
				w.history = append(w.history, happened{what: "sent", key: key, now: now})
			}
			var worst verdict
			sentAs := who
			for range rnd.IntN(4) { // while it is in flight
				key := rnd.IntN(keys)
				if rnd.IntN(4) == 0 {
					p.drop(key)
					w.history = append(w.history, happened{what: "drop", key: key})
				} else {
					p.note(key, false)
					w.history = append(w.history, happened{what: "note", key: key})
				}
			}
			if again := p.due(who, now.Add(time.Hour)); len(again) > 0 {
				fail("a second request %v beside the first", again)
			}
			now = now.Add(time.Duration(rnd.IntN(30)) * time.Millisecond)
			for _, key := range got {
				v := verdicts[rnd.IntN(len(verdicts))]
				if v.group {
					worst = v
				}
				p.answered(key, v, now)
				w.history = append(w.history, happened{what: "answered", key: key, verdict: v, now: now})
			}
			p.finish(worst, sentAs, now)
			w.history = append(w.history, happened{what: "finish", verdict: worst, who: sentAs, now: now})
		}
		for key := range keys { // nothing is kept of what is clean
			if _, kept := p.keys[key]; kept && !w.dirty(key) {
				fail("key %d is clean and kept", key)
			}
		}
	}
	if requests < steps/20 {
		t.Errorf("only %d requests in %d steps: the histories are too dull", requests, steps)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestPace(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 1 << 40: time.Second,
	} {
		if got := quick.after(failures); got != want {
			t.Errorf("quick after %d failures: %v, want %v", failures, got, want)
		}
	}
	if got := slow.after(100); got != 30*time.Second {
		t.Errorf("slow: %v", got)
	}
	if got := atOnce.after(3); got != 0 {
		t.Errorf("atOnce: %v", got)
	}
}

// TestPendingIsNotStarvedByRebalances: a member drains while others come and go. Every 200 ms there is another
// generation, which refuses the commit that its beginning sets off, and would accept any that comes 10 ms later. The
// pause had grown to a second over the generations, so that no second try ever came: after ten seconds the drain gave
// up, and the next owner handled the records again.
func TestPendingIsNotStarvedByRebalances(t *testing.T) {
	p := newPending[int](20 * time.Millisecond)
	refused := verdicts[sarama.ErrRebalanceInProgress]
	refused.failed = true
	begin := time.Now()
	p.note(1, true)
	for tick := range 2000 {
		now := begin.Add(time.Duration(tick) * time.Millisecond)
		generation := tick / 200
		who := conn.Identity{Member: "m", Generation: int32(generation)}
		if len(p.due(who, now)) == 0 {
			continue
		}
		p.sent(1, now)
		if tick%200 >= 10 && generation >= 5 { // until then, all of them come too early
			return
		}
		p.answered(1, refused, now)
		p.finish(refused, who, now)
	}
	t.Error("in five generations of 200 ms there was no second try")
}
