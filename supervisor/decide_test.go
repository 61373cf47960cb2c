package supervisor

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

func failure(err error) messages.Failure {
	return messages.Failure{Class: messages.ClassOf(err), Err: err}
}

func TestTimesCountsApplicationsSoThatRetryTimes5IsSixDeliveries(t *testing.T) {
	policy := Policy{On(Is(io.EOF), Retry(Every(time.Second)).Times(5), Park("downstream is away"))}
	f := failure(io.EOF)
	got := policy.Decide(f, f, f, f, f, f, f)
	for i, d := range got[:5] {
		want := messages.Decision{Action: messages.ActionRetry, Delay: time.Second, Rule: `error is "EOF"`, Step: 0, Left: 4 - i}
		if d != want {
			t.Errorf("failure %d: %+v, want %+v", i, d, want)
		}
	}
	for i, d := range got[5:] { // an operator's retry fails again: parked again
		want := messages.Decision{Action: messages.ActionPark, Reason: "downstream is away", Rule: `error is "EOF"`, Step: 1, Left: -1}
		if d != want {
			t.Errorf("failure %d: %+v, want %+v", 5+i, d, want)
		}
	}
}

func TestTheDelayIsOfTheStepsOwnApplications(t *testing.T) {
	policy := Policy{
		On(Panic(), Restart(Backoff{}).Times(2), Restart(Backoff{Base: time.Second, Factor: 2})),
		On(Any(), Retry(Backoff{})),
	}
	crash, err := failure(&messages.PanicError{Value: 1}), failure(io.EOF)
	got := policy.Decide(crash, err, crash, err, crash, crash, err)
	want := []time.Duration{10 * time.Second, 10 * time.Second, 100 * time.Second, 100 * time.Second, time.Second, 2 * time.Second, 1000 * time.Second}
	for i := range want {
		if got[i].Delay != want[i] {
			t.Errorf("failure %d: %+v, want %v", i, got[i], want[i])
		}
	}
}

func TestDefaultPolicyRetriesForEverAndRestartsAfterAPanicWithTheSameDelays(t *testing.T) {
	for name, policy := range map[string]Policy{
		"nil": nil, "empty": {}, "default": DefaultPolicy(),
		"no rule matches": {On(Is(io.ErrClosedPipe), Skip())},
		"rule of nothing": {{Do: []Directive{Skip()}}},
	} {
		crash, err := failure(&messages.PanicError{Value: 1}), failure(io.EOF)
		gone := messages.Failure{Class: messages.ClassActorStopped, Err: io.EOF}
		got := policy.Decide(err, crash, gone, err)
		for i, want := range []messages.Decision{
			{Action: messages.ActionRetry, Delay: 10 * time.Second},
			{Action: messages.ActionRestart, Delay: 100 * time.Second},
			{Action: messages.ActionRestart, Delay: 1000 * time.Second},
			{Action: messages.ActionRetry, Delay: time.Hour},
		} {
			want.Rule, want.Left = "default", -1
			if got[i] != want {
				t.Errorf("%s: failure %d: %+v, want %+v", name, i, got[i], want)
			}
		}
	}
}

// A record failed under another owner; only the number of its attempts came over with the commit. Delays and
// budgets go on where they were.
func TestAFreshTallyCountsTheAttemptsThatWereCarriedOver(t *testing.T) {
	carried := func(attempt int) messages.Failure {
		f := failure(io.EOF)
		f.Attempt = attempt
		return f
	}
	if d := (Policy)(nil).Decide(carried(2))[0]; d.Delay != 1000*time.Second {
		t.Errorf("third failure by default: %+v, want 1000 s", d)
	}
	for _, attempt := range []int{math.MaxInt, math.MaxInt - 1} {
		if d := (Policy)(nil).Decide(carried(attempt), carried(attempt))[1]; d.Delay != time.Hour {
			t.Errorf("attempt %d: %+v, want 1 h", attempt, d)
		}
	}
	if d := (Policy)(nil).Decide(carried(-3))[0]; d.Delay != 10*time.Second {
		t.Errorf("a negative attempt: %+v", d)
	}

	policy := Policy{On(Any(), Retry(Backoff{}).Times(3), Restart(Every(time.Minute)).Times(2), Park("enough"))}
	for attempt, want := range []messages.Decision{
		{Action: messages.ActionRetry, Delay: 10 * time.Second, Step: 0, Left: 2},
		{Action: messages.ActionRetry, Delay: 100 * time.Second, Step: 0, Left: 1},
		{Action: messages.ActionRetry, Delay: 1000 * time.Second, Step: 0, Left: 0},
		{Action: messages.ActionRestart, Delay: time.Minute, Step: 1, Left: 1},
		{Action: messages.ActionRestart, Delay: time.Minute, Step: 1, Left: 0},
		{Action: messages.ActionPark, Reason: "enough", Step: 2, Left: -1},
		{Action: messages.ActionPark, Reason: "enough", Step: 2, Left: -1},
	} {
		want.Rule = "any failure"
		if got := policy.Decide(carried(attempt))[0]; got != want {
			t.Errorf("attempt %d: %+v, want %+v", attempt, got, want)
		}
	}

	// Only the first failure that a tally meets carries: afterwards the tally knows better.
	other := Policy{On(Panic(), Restart(Backoff{})), On(Any(), Retry(Backoff{}))}
	crash := messages.Failure{Class: messages.ClassPanic, Attempt: 3}
	if got := other.Decide(carried(2), crash); got[0].Delay != 1000*time.Second || got[1].Delay != 10*time.Second {
		t.Errorf("carried twice: %+v", got)
	}
}

func TestRetryAfterOverridesTheDelayWhereThereIsOne(t *testing.T) {
	hint := failure(fmt.Errorf("busy: %w", messages.RetryAfter(7*time.Second, io.EOF)))
	crash := failure(&messages.PanicError{Value: messages.RetryAfter(-7, io.EOF)})
	policy := Policy{On(Is(io.EOF), Retry(Quick()).Times(2), Park(""))}
	var tally Tally
	never := func() float64 { t.Error("jitter on a hint"); return 0 }
	for i, want := range []messages.Decision{
		{Action: messages.ActionRetry, Delay: 7 * time.Second, Left: 1},
		{Action: messages.ActionRestart, Delay: 0, Left: 0},
		{Action: messages.ActionPark, Reason: `error is "EOF"`, Step: 1, Left: -1},
	} {
		want.Rule = `error is "EOF"`
		f := []messages.Failure{hint, crash, hint}[i]
		if got := policy.Next(&tally, &f, never); got != want {
			t.Errorf("failure %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestNextTakesItsJitterFromTheCaller(t *testing.T) {
	f := failure(io.EOF)
	policy := Policy{On(Any(), Retry(Quick()))}
	var tally Tally
	if d := policy.Next(&tally, &f, func() float64 { return 0.5 }); d.Delay != 100*time.Millisecond {
		t.Errorf("first delay %v, want half of 200 ms", d.Delay)
	}
	if d := policy.Next(&tally, &f, nil); d.Delay != 400*time.Millisecond {
		t.Errorf("second delay without jitter %v", d.Delay)
	}
}

// naive decides the last failure of a partition's history by replaying all of it, with lists in the place of counters.
func naive(p Policy, history []messages.Failure) messages.Decision {
	type application struct {
		record, rule, step int
		at                 time.Time
	}
	var done []application
	record := 0
	for i, f := range history {
		fresh := i == 0 || f.Offset != history[i-1].Offset
		if fresh {
			record++
		}
		index, rule := -1, DefaultPolicy()[0]
		for j := len(p) - 1; j >= 0; j-- {
			if p[j].On.matches(&f) {
				index, rule = j, p[j]
			}
		}
		count := func(step int, also func(application) bool) (n int) {
			for _, a := range done {
				if a.rule == index && a.step == step && also(a) {
					n++
				}
			}
			return n
		}
		ofRecord := func(a application) bool { return a.record == record }
		// One step for each failure that is told of, and one for this one.
		steps := 1
		if fresh {
			steps += max(0, f.Attempt)
		}
		for ; steps > 0; steps-- {
			carried := steps > 1 // by another owner: of it only Times is known
			for k, d := range rule.Do {
				b := d.budget
				left := []int{}
				if b.limited {
					left = append(left, b.times-count(k, ofRecord))
				}
				if b.windowed && !carried {
					left = append(left, b.within-count(k, func(a application) bool { return !a.at.IsZero() && f.Last.Sub(a.at) < b.window }))
				}
				spent := b.aged && !carried && f.Last.Sub(f.First) >= b.elapsed
				if last := k == len(rule.Do)-1; !last && (spent || len(left) > 0 && slices.Min(left) <= 0) {
					continue
				} else if last {
					left = nil
				}
				a := application{record, index, k, f.Last}
				if carried {
					a.at = time.Time{}
				}
				done = append(done, a)
				if i == len(history)-1 && !carried {
					return naiveStep(rule, k, count(k, ofRecord), left, f)
				}
				break
			}
		}
	}
	panic("no history")
}

// naiveStep is the decision for the n-th application of step k; left is what its budgets had before.
func naiveStep(rule Rule, k, n int, left []int, last messages.Failure) messages.Decision {
	step := rule.Do[k]
	d := messages.Decision{Action: step.action, Rule: rule.Name, Step: k, Left: -1}
	if rule.Name == "" {
		d.Rule = rule.On.String()
	}
	if len(left) > 0 {
		d.Left = slices.Min(left) - 1
	}
	if step.action == messages.ActionPark {
		d.Reason = step.reason
	}
	if step.action == messages.ActionRetry || step.action == messages.ActionRestart {
		d.Delay = step.backoff.Delay(n)
		var hint *messages.RetryError
		if errors.As(last.Err, &hint) {
			d.Delay = hint.After
		}
		if last.Class == messages.ClassPanic || last.Class == messages.ClassActorStopped {
			d.Action = messages.ActionRestart
		}
	}
	return d
}

func TestNextAgainstTheReplayOfTheWholeHistory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	matchers := []Matcher{
		Panic(), Is(io.EOF), Is(io.ErrClosedPipe), As[*messages.RetryError](), Any(),
		When("even", func(f *messages.Failure) bool { return f.Offset%2 == 0 }).And(Is(io.EOF)),
	}
	directives := []Directive{
		Retry(Backoff{}), Restart(Backoff{Base: 3, Factor: 1.5, Max: 100}), Retry(Every(9)), Park("p"), Skip(), Escalate(),
	}
	causes := []error{
		io.EOF, io.ErrClosedPipe, io.ErrUnexpectedEOF, messages.RetryAfter(77, io.EOF),
		&messages.PanicError{Value: 1}, &messages.PanicError{Value: io.EOF},
	}
	limit := func(d Directive) Directive {
		for d.budget == (budget{}) || rnd.IntN(3) == 0 {
			switch rnd.IntN(3) {
			case 0:
				d = d.Times(1 + rnd.IntN(4))
			case 1:
				d = d.Within(1+rnd.IntN(4), time.Duration(1+rnd.IntN(20))*time.Second)
			case 2:
				d = d.For(time.Duration(1+rnd.IntN(20)) * time.Second)
			}
		}
		return d
	}
	actions := map[messages.Action]int{}
	for range 500 {
		var policy Policy
		for _, m := range rnd.Perm(len(matchers))[:rnd.IntN(len(matchers)+1)] {
			rule := On(matchers[m])
			for range rnd.IntN(4) {
				rule.Do = append(rule.Do, limit(directives[rnd.IntN(len(directives))]))
			}
			rule.Do = append(rule.Do, directives[rnd.IntN(len(directives))])
			policy = append(policy, rule)
		}
		var (
			history []messages.Failure
			tally   Tally
			now     = time.Unix(1e9, 0)
			first   = now
			attempt = rnd.IntN(2) * rnd.IntN(12)
			offset  int64
		)
		for i := range 40 {
			if i > 0 && rnd.IntN(5) == 0 { // the next record
				tally, offset, attempt, first = tally.Renew(), offset+1, rnd.IntN(2)*rnd.IntN(3), now
			}
			f := failure(causes[rnd.IntN(len(causes))])
			if rnd.IntN(10) == 0 {
				f.Class = messages.ClassActorStopped
			}
			f.Attempt, f.Offset, f.First, f.Last = attempt, offset, first, now
			history = append(history, f)
			got, want := policy.Next(&tally, &f, nil), naive(policy, history)
			if got != want {
				t.Fatalf("failure %d of\n%s\n%+v, want %+v", i, policy.Explain(), got, want)
			}
			if all := policy.Decide(history...); all[i] != want {
				t.Fatalf("Decide: %+v, want %+v", all[i], want)
			}
			actions[got.Action]++
			attempt++
			now = now.Add(time.Duration(rnd.IntN(4)) * time.Second)
		}
	}
	if len(actions) != 5 {
		t.Errorf("not every action was decided: %v", actions)
	}
}
