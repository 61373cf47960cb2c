package member

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	stepsSchedules = flag.Int("steps.schedules", 500/slower, "how many schedules are simulated step by step")
	stepsSeed      = flag.Uint64("steps.seed", 1, "the first schedule's seed; the next ones count up")
	stepsFailures  = flag.Int("steps.failures", 3, "after how many failures no more schedules are run")
	stepsWhole     = flag.Bool("steps.whole", false, "print the whole story of a failure, not its end")
)

// TestSteps is the pure step simulation: processes, each with the machine and a backlog for each claim, and between them
// and a model of the coordinator whatever a network and a scheduler can do; stepped by one goroutine, so that a seed is
// the same twice to the last step. A schedule that fails is printed with no event in it that the failure does not need.
//
//	go test ./consumer/internal/member -run TestSteps -steps.schedules 10000
//	go test ./consumer/internal/member -run TestSteps -steps.schedules 1 -steps.seed 4711 -steps.whole
func TestSteps(t *testing.T) {
	var sum ledger
	var took []time.Duration
	failed, began := 0, time.Now()
	for n := range *stepsSchedules {
		start := time.Now()
		sc := newScript(*stepsSeed + uint64(n))
		s := sc.live(false)
		took = append(took, time.Since(start))
		sum.add(s.ledger)
		if !s.ledger.broken() {
			continue
		}
		failed++
		small, runs := sc.shrink(s.ledger.kind, 1000)
		s = small.live(true)
		t.Errorf("violation: %s: %s\n%d of %d events, after %d runs: %s%s",
			s.ledger.kind, s.ledger.text, len(small.deeds), len(sc.deeds), runs, small, s.tail())
		if failed == *stepsFailures {
			t.Errorf("%d schedules, %d failed; no more are run", len(took), failed)
			return
		}
	}
	slices.Sort(took)
	t.Logf("%d schedules, %d failed, in %.1f s; median %.1f ms, longest %.0f ms", len(took), failed, time.Since(began).Seconds(),
		took[len(took)/2].Seconds()*1000, took[len(took)-1].Seconds()*1000)
	t.Logf("%d events: %d claims, %d attempts, %d of them failed, %d duplicates; %d commits, %d of them overtaken; %d saves in a store, %d seeks; "+
		"%d commands of an operator; %d members fenced by a second process, %d by a join of their own that came late; "+
		"%d handlers beside another because two joins in a row got lost",
		sum.steps, sum.tenures, sum.attempts, sum.failures, sum.duplicates, sum.accepted, sum.overtaken,
		sum.saves, sum.seeks, sum.orders, sum.fenced, sum.own, sum.strays)
}

func (l *ledger) add(m *ledger) {
	l.steps += m.steps
	l.attempts += m.attempts
	l.failures += m.failures
	l.duplicates += m.duplicates
	l.accepted += m.accepted
	l.tenures += m.tenures
	l.overtaken += m.overtaken
	l.strays += m.strays
	l.fenced += m.fenced
	l.own += m.own
	l.saves += m.saves
	l.seeks += m.seeks
	l.orders += m.orders
}

// tail is the end of the story.
func (s *sim) tail() string {
	story := s.story
	if len(story) > 80 && !*stepsWhole {
		story = story[len(story)-80:]
	}
	return strings.Join(story, "\n")
}

// A seed is the same twice, to the last step.
func TestStepsReplayExactly(t *testing.T) {
	for seed := range uint64(20) {
		first, again := newScript(seed).live(true).story, newScript(seed).live(true).story
		if !slices.Equal(first, again) {
			t.Fatalf("seed %d: not the same twice", seed)
		}
	}
}

// Of a script that fails because of two of its events, these two are left.
func TestStepsShrinkToWhatMatters(t *testing.T) {
	sc := newScript(1)
	for i := range sc.deeds {
		switch i {
		case 5:
			sc.deeds[i].do = func(s *sim) { s.hub.names += 100 }
		case 11:
			sc.deeds[i].do = func(s *sim) {
				if s.hub.names >= 100 {
					s.ledger.violate("forged", "")
				}
			}
		}
	}
	small, _ := sc.shrink("forged", 1000)
	if len(small.deeds) != 2 || small.deeds[0].at != sc.deeds[5].at || small.deeds[1].at != sc.deeds[11].at {
		t.Errorf("%s", small)
	}
}
