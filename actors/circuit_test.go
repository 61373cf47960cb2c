package actors

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// circuitTwin is the same in the most simple words: what the breaker waits for at the moment.
type circuitTwin struct {
	phase string // "", "waits for", "tries", "anybody"
	who   *Mailbox
	pace  time.Duration
	until time.Time
	count uint64 // of openings
}

func (w *circuitTwin) trip(who *Mailbox, now time.Time, pace time.Duration, count uint64) bool {
	was := w.phase
	if was == "" && count < w.count {
		return false
	}
	if was == "" {
		w.count++
	}
	if was == "" || was != "anybody" && w.who == who {
		*w = circuitTwin{"waits for", who, pace, now.Add(pace), w.count}
	}
	return was == ""
}

func (w *circuitTwin) admit(who *Mailbox, now time.Time) (ok, probe bool) {
	switch w.phase {
	case "":
		return true, false
	case "tries":
		return false, false
	case "waits for":
		late := w.until.Add(time.Minute)
		if w.pace > time.Minute {
			late = w.until.Add(w.pace)
		}
		ok = w.who == who || now.Equal(late) || now.After(late)
	case "anybody":
		ok = now.Equal(w.until) || now.After(w.until)
	}
	if ok {
		w.phase, w.who = "tries", who
	}
	return ok, ok
}

func (w *circuitTwin) succeed(who *Mailbox) bool {
	closes := w.phase == "tries" && w.who == who
	if closes {
		*w = circuitTwin{count: w.count}
	}
	return closes
}

func (w *circuitTwin) yield(who *Mailbox) {
	if w.phase == "waits for" && w.who == who {
		w.phase = "anybody"
	}
}

func (w *circuitTwin) abort(who *Mailbox, now time.Time) {
	if w.phase == "tries" && w.who == who {
		w.phase, w.until = "anybody", now.Add(w.pace)
	}
}

// Whatever happens in whatever order, it is what its twin is. Besides: never are two heads tried at a time, it closes only by
// a head that was tried since it opened, and where nothing is tried, somebody is let through after the pace, and anybody after
// a while more.
func TestCircuitAgainstItsTwin(t *testing.T) {
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		var c circuit
		var w circuitTwin
		all := []*Mailbox{{}, {}, {}}
		now, trying := time.Unix(0, 0), map[*Mailbox]bool{}
		var story []string
		for range 150 {
			who := all[rnd.IntN(len(all))]
			pace := time.Duration(rnd.IntN(5)) * []time.Duration{time.Second, time.Second, time.Minute}[rnd.IntN(3)]
			switch event := rnd.IntN(7); event {
			case 0:
				story = append(story, "trip")
				count := c.count - min(c.count, uint64(rnd.IntN(4)/3)) // it may have begun before the last opening
				if got, want := c.trip(who, now, pace, count), w.trip(who, now, pace, count); got != want {
					t.Fatalf("seed %d: opened %v, want %v: %v", seed, got, want, story)
				}
				delete(trying, who)
			case 1, 2:
				story = append(story, "admit")
				if before := c; c.admits(who, now) != func() bool { ok, _ := before.admit(who, now); return ok }() {
					t.Fatalf("seed %d: admits and admit differ: %v", seed, story)
				}
				ok, probe := c.admit(who, now)
				if wantOK, wantProbe := w.admit(who, now); ok != wantOK || probe != wantProbe {
					t.Fatalf("seed %d: admitted %v %v, want %v %v: %v", seed, ok, probe, wantOK, wantProbe, story)
				}
				if probe && len(trying) > 0 {
					t.Fatalf("seed %d: two heads are tried at a time: %v", seed, story)
				}
				if probe {
					trying[who] = true
				}
			case 3:
				story = append(story, "succeed")
				got, want := c.succeed(who), w.succeed(who)
				if got != want || got && !trying[who] {
					t.Fatalf("seed %d: closed %v, want %v: %v", seed, got, want, story)
				}
				delete(trying, who)
			case 4:
				story = append(story, "yield")
				c.yield(who)
				w.yield(who)
			case 5:
				story = append(story, "abort")
				c.abort(who, now)
				w.abort(who, now)
				delete(trying, who)
			case 6:
				now = now.Add(time.Duration(rnd.IntN(3)) * []time.Duration{time.Second, time.Second, 40 * time.Second}[rnd.IntN(3)])
			}
			if c.open != (w.phase != "") || c.out != (w.phase == "tries") || (c.probe == nil) != (w.phase == "" || w.phase == "anybody") {
				t.Fatalf("seed %d: %+v, want %+v: %v", seed, c, w, story)
			}
			if c.open && !c.out {
				admitted := func(at time.Time) (n int) {
					for _, m := range all {
						if c.admits(m, at) {
							n++
						}
					}
					return n
				}
				if want := map[bool]int{true: len(all), false: 1}[c.probe == nil]; admitted(c.until) != want {
					t.Fatalf("seed %d: %d would be let through after the pace, want %d: %v", seed, admitted(c.until), want, story)
				}
				if n := admitted(now.Add(8 * time.Minute)); n != len(all) {
					t.Fatalf("seed %d: only %d would be let through at last: %v", seed, n, story)
				}
			}
		}
	}
}

// The rules, one by one.
func TestCircuit(t *testing.T) {
	a, b := &Mailbox{}, &Mailbox{}
	var c circuit
	now := time.Unix(100, 0)
	step := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v: %+v", what, got, want, c)
		}
	}
	step("closed", c.admits(a, now), true)
	step("a opens it", c.trip(a, now, time.Minute, 0), true)
	step("the probe is let through when it comes", c.admits(a, now), true)
	step("no other head is", c.admits(b, now.Add(time.Minute)), false)
	step("b fails, too", c.trip(b, now, time.Second, 0), false)
	step("and changes nothing", c.admits(b, now.Add(2*time.Minute-1)), false)
	step("unless the probe is overdue", c.admits(b, now.Add(2*time.Minute)), true)
	step("and then it may still come", c.admits(a, now.Add(time.Hour)), true)
	step("another's success does not close it", c.succeed(b), false)
	step("nor that of a, which began before", c.succeed(a), false)
	_, probe := c.admit(a, now)
	step("a is tried", probe, true)
	step("once", c.admits(a, now), false)
	step("and while it is tried, it is not overdue", c.admits(b, now.Add(time.Hour)), false)
	step("its claim ends, but it may still return", c.yield(a), false)
	step("and is gone", c.abort(a, now), true)
	step("the pace is kept", c.admits(b, now.Add(time.Minute-1)), false)
	step("then b is the probe", c.admits(b, now.Add(time.Minute)), true)
	_, probe = c.admit(b, now.Add(time.Minute))
	step("b is tried", probe, true)
	step("its success closes it", c.succeed(b), true)
	step("closed", c.admits(a, now), true)
	step("what began before the opening does not open it again", c.trip(a, now, time.Second, 0) || c.open, false)
	step("what began since does", c.trip(a, now, time.Second, 1), true)
	step("a quick pace has a minute's grace", c.admits(b, now.Add(time.Minute+time.Second-1)), false)
	step("then the probe is overdue", c.admits(b, now.Add(time.Minute+time.Second)), true)
	_, probe = c.admit(b, now.Add(time.Minute+time.Second))
	step("b is tried in its place", probe, true)
	step("the old one is not", c.admits(a, now.Add(time.Hour)), false)
	step("and has no say", c.yield(a) || c.abort(a, now) || c.succeed(a) || c.trip(a, now, 0, 2), false)
	step("b has", c.succeed(b), true)
	step("openings", c.count, 2)
}
