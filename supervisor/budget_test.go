package supervisor

import (
	"io"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// failures are those of one partition, one a second from the record's first.
func failures(n int, offset int64, from time.Time) []messages.Failure {
	all := make([]messages.Failure, n)
	for i := range all {
		all[i] = failure(io.EOF)
		all[i].Offset, all[i].First, all[i].Last = offset, from, from.Add(time.Duration(i)*time.Second)
	}
	return all
}

func actionsOf(decisions []messages.Decision) (s string) {
	for _, d := range decisions {
		s += d.Action.String()[:2] + " "
	}
	return s
}

func TestWithinCountsOverTheRecordsOfAPartition(t *testing.T) {
	policy := Policy{On(Any(), Retry(Every(0)).Within(3, 10*time.Second), Park("too many"))}
	start := time.Unix(1e9, 0)
	history := failures(2, 1, start)                                         // seconds 0 and 1
	history = append(history, failures(2, 2, start.Add(5*time.Second))...)   // 5: the third, 6: one too many
	history = append(history, failures(1, 2, start.Add(10*time.Second))...)  // second 0 has left the window
	history = append(history, failures(2, 3, start.Add(100*time.Second))...) // all have
	got := policy.Decide(history...)
	if s := actionsOf(got); s != "Re Re Re Pa Re Re Re " {
		t.Errorf("decided %s", s)
	}
	for i, left := range []int{2, 1, 0, -1, 0, 2, 1} {
		if got[i].Left != left {
			t.Errorf("failure %d: %d left, want %d", i, got[i].Left, left)
		}
	}
}

func TestForCountsFromTheRecordsFirstFailure(t *testing.T) {
	policy := Policy{On(Any(), Retry(Every(time.Second)).For(3*time.Second), Skip())}
	start := time.Unix(1e9, 0)
	got := policy.Decide(append(failures(5, 1, start), failures(2, 2, start.Add(time.Hour))...)...)
	if s := actionsOf(got); s != "Re Re Re Sk Sk Re Re " {
		t.Errorf("decided %s", s)
	}
	if got[0].Left != -1 {
		t.Errorf("%d left: time is not counted in applications", got[0].Left)
	}
}

func TestTheFirstLimitThatIsReachedCounts(t *testing.T) {
	start := time.Unix(1e9, 0)
	for want, limited := range map[string]Directive{
		"Re Re Pa Pa Pa Pa ": Retry(Every(0)).Times(2).For(4*time.Second).Within(5, time.Hour),
		"Re Re Re Re Pa Pa ": Retry(Every(0)).Times(9).For(4*time.Second).Within(5, time.Hour),
		"Re Re Re Re Re Pa ": Retry(Every(0)).Times(9).For(time.Hour).Within(5, time.Hour),
	} {
		if s := actionsOf((Policy{On(Any(), limited, Park("p"))}).Decide(failures(6, 1, start)...)); s != want {
			t.Errorf("%v: decided %s, want %s", limited, s, want)
		}
	}
}

// Of a record's past under other owners only the number of its attempts is known: Times goes on, the others begin anew.
func TestOnlyTimesTravels(t *testing.T) {
	start := time.Unix(1e9, 0)
	carried := failures(1, 1, start)
	carried[0].Attempt = 7
	for want, limited := range map[string]Directive{
		"Pa ": Retry(Every(0)).Times(7),
		"Re ": Retry(Every(0)).Within(3, time.Hour).For(time.Minute),
	} {
		if s := actionsOf((Policy{On(Any(), limited, Park("p"))}).Decide(carried...)); s != want {
			t.Errorf("%v: decided %s, want %s", limited, s, want)
		}
	}
	// The delays do go on: what was carried counts as applied.
	got := (Policy{On(Any(), Retry(Backoff{}).For(time.Minute), Park("p"))}).Decide(carried...)
	if got[0].Delay != time.Hour {
		t.Errorf("%+v, want the delay of the eighth", got[0])
	}
}

// What a window remembers is bounded by its own limit, whatever comes.
func TestAWindowRemembersNoMoreThanItsLimit(t *testing.T) {
	policy := Policy{On(Any(), Retry(Every(0)).Within(3, time.Hour), Retry(Every(0)).Within(1, time.Nanosecond), Skip())}
	var tally Tally
	for i, f := range failures(1000, 1, time.Unix(1e9, 0)) {
		f.Offset = int64(i)
		tally = tally.Renew()
		policy.Next(&tally, &f, nil)
	}
	for key, recent := range tally.windows.recent {
		if len(recent) > 3 {
			t.Errorf("%v: %d times are remembered", key, len(recent))
		}
	}
}

func TestBudgetsAreExplained(t *testing.T) {
	d := Restart(Every(time.Second)).Times(2).Within(3, time.Minute).For(time.Hour)
	if got := d.String(); got != "Restart after 1s, 2 times, 3 times within 1m per partition, for 1h" {
		t.Errorf("%s", got)
	}
	if got := Skip().Times(1).String(); got != "Skip, once" {
		t.Errorf("%s", got)
	}
}
