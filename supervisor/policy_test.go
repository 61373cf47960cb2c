package supervisor

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

func TestPolicyValidateNamesRuleValueAndRemedy(t *testing.T) {
	forever := Retry(Backoff{})
	tests := []struct {
		name   string
		policy Policy
		want   [][]string // one per fault
	}{
		{"nil", nil, nil},
		{"empty", Policy{}, nil},
		{"default", DefaultPolicy(), nil},
		{"good", Policy{
			On(Is(io.EOF), Retry(Quick()).Times(5), Park("downstream is away")),
			On(Panic(), Restart(Backoff{}).Times(1), Park("again").Times(2), Skip()),
			On(Any(), forever),
		}, nil},
		{"no steps", Policy{On(Any())}, [][]string{{"rule 1 (any failure)", "no steps", "add a directive"}}},
		{"no budget", Policy{On(Panic(), forever, Park("x"))}, [][]string{{"rule 1 (panic)", "step 1 (Retry)", "no budget", "add .Times(n)"}}},
		{"budget at the end", Policy{On(Any(), forever.Times(3))}, [][]string{{"rule 1", "step 1 (Retry)", "Times(3)", "add a step behind it"}}},
		{"zero times", Policy{On(Any(), forever.Times(0), Skip())}, [][]string{{"step 1 (Retry)", "Times(0)", "use 1 or more"}}},
		{"negative times", Policy{On(Any(), forever.Times(-4), Skip())}, [][]string{{"step 1 (Retry)", "Times(-4)", "use 1 or more"}}},
		{"within", Policy{On(Any(), forever.Within(0, time.Minute), forever.Within(10_001, time.Minute), forever.Within(1, 0), Skip())}, [][]string{
			{"step 1 (Retry)", "Within(0, 1m0s)", "use 1 to 10000"},
			{"step 2 (Retry)", "Within(10001, 1m0s)", "use 1 to 10000"},
			{"step 3 (Retry)", "Within(1, 0s)", "no window", "time.Minute"},
		}},
		{"for", Policy{On(Any(), forever.For(0), forever.For(-time.Second), forever.For(time.Minute))}, [][]string{
			{"step 1 (Retry)", "For(0s)", "more than 0"},
			{"step 2 (Retry)", "For(-1s)", "more than 0"},
			{"step 3 (Retry)", "For(1m0s)", "add a step behind it"},
		}},
		{"within at the end", Policy{On(Any(), forever.Within(3, time.Minute))}, [][]string{{"Within(3, 1m0s)", "add a step behind it", "remove Within"}}},
		{"no topic", Policy{On(Topic().And(Panic()), Skip())}, [][]string{{"rule 1 (no topic and panic)", "Topic() matches nothing", "name a topic"}}},
		{"empty topic", Policy{On(Topic("orders", ""), Skip())}, [][]string{{"rule 1", `["orders" ""]`, "empty name"}}},
		{"when nil", Policy{On(When("vip", nil), Skip())}, [][]string{{"rule 1 (vip)", "When(\"vip\", nil)", "give the function"}}},
		{"when unnamed", Policy{On(When("", func(*messages.Failure) bool { return true }), Skip())}, [][]string{{"rule 1", "no name", "give it one"}}},
		{"and nothing", Policy{On(Any().And(Matcher{}), Skip())}, [][]string{{"rule 1 (any failure and no matcher)", "make the rule with On("}}},
		{"part of a topic", Policy{On(Topic("a", "b"), Skip()), On(Topic("b").And(Panic()), Skip())},
			[][]string{{"rule 2 (topic b and panic)", "never reached", "rule 1 (topic a or b)"}}},
		{"dead letter", Policy{On(Any(), DeadLetter("").Times(1), Skip())}, [][]string{
			{"step 1 (DeadLetter)", "does not fail again", "make DeadLetter the last step"}, {"step 1 (DeadLetter)", "names no place", "name the topic"},
		}},
		{"dead letter of a dead letter", Policy{
			On(Any(), DeadLetter("x")), On(Class(messages.ClassDeadLetter), DeadLetter("y")), On(Class(messages.ClassDeadLetter), Skip()),
		}, [][]string{
			{"rule 2", "step 1 (DeadLetter)", "would be lost", "use Retry, Park or Escalate"},
			{"rule 3", "never reached", "rule 2"}, {"rule 3", "step 1 (Skip)", "would be lost", "use Retry, Park or Escalate"},
		}},
		{"behind skip", Policy{On(Any(), Skip().Times(2), Park("x"))}, [][]string{{"step 1 (Skip)", "does not fail again", "make Skip the last step"}}},
		{"behind any", Policy{On(Any(), forever), {Name: "late", On: Panic(), Do: []Directive{Skip()}}},
			[][]string{{"rule 2 (late)", "never reached", "rule 1 (any failure)", "put this rule before"}}},
		{"twice", Policy{On(Is(io.EOF), forever), On(Panic(), forever), On(Is(io.EOF), Skip())},
			[][]string{{`rule 3 (error is "EOF")`, "never reached", "rule 1", "put this rule before"}}},
		{"no matcher", Policy{{Do: []Directive{Skip()}}}, [][]string{{"rule 1 (no matcher)", "make the rule with On("}}},
		{"nil error", Policy{On(Is(nil), Skip())}, [][]string{{"rule 1", "Is(nil)", "use Any()"}}},
		{"no such class", Policy{On(Class(99), Skip())}, [][]string{{"rule 1 (class Class(99))", "does not exist", "use one of"}}},
		{"zero directive", Policy{On(Any(), Directive{})}, [][]string{{"step 1", "zero Directive", "use Retry"}}},
		{"backoff", Policy{On(Any(), Restart(Every(-time.Second)))}, [][]string{{"rule 1", "step 1 (Restart)", "Schedule[0]", "-1s", "use 0"}}},
		{"percent in a name", Policy{{Name: "100%d", On: Any()}}, [][]string{{"rule 1 (100%d)", "no steps", "add"}}},
		{"all at once", Policy{On(Any(), forever, Retry(Backoff{Base: -1, Max: -1}).Times(0), Skip().Times(2)), On(Panic())}, [][]string{
			{"rule 1", "step 1", "no budget", "add"},
			{"rule 1", "step 2", "Times(0)", "use 1"},
			{"rule 1", "step 2", "Base", "-1ns", "use"},
			{"rule 1", "step 2", "Max", "-1ns", "use"},
			{"rule 1", "step 3 (Skip)", "Times(2)", "remove Times"},
			{"rule 2", "never reached", "rule 1", "remove it"},
			{"rule 2", "no steps", "add"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var faults []string
			if err := tt.policy.Validate(); err != nil {
				faults = strings.Split(err.Error(), "\n")
			}
			if len(faults) != len(tt.want) {
				t.Fatalf("%d faults, want %d:\n%s", len(faults), len(tt.want), strings.Join(faults, "\n"))
			}
			for i, parts := range tt.want {
				for _, part := range append(parts, "ottla: policy rule") {
					if !strings.Contains(faults[i], part) {
						t.Errorf("fault %d misses %q: %s", i, part, faults[i])
					}
				}
			}
			// Whatever it is, deciding does not panic and never answers with nothing.
			for _, class := range []messages.Class{messages.ClassHandler, messages.ClassPanic} {
				f := messages.Failure{Class: class, Err: io.EOF}
				for _, d := range tt.policy.Decide(f, f, f, f, f, f, f) {
					if d.Action == 0 || d.Delay < 0 {
						t.Errorf("decided %+v", d)
					}
				}
			}
			_ = tt.policy.Explain()
		})
	}
}

// In a policy for one topic, its name is no condition and any other is never met.
func TestPolicyValidateForOneTopic(t *testing.T) {
	tests := []struct {
		name   string
		policy Policy
		want   []string // of the one fault
	}{
		{"nil", nil, nil},
		{"no topic", Policy{On(Panic(), Skip()), On(Any(), Skip())}, nil},
		{"its own", Policy{On(Panic().And(Topic("orders")), Skip()), On(Topic("orders", "payments"), Skip())}, nil},
		{"another one", Policy{On(Panic(), Skip()), On(Topic("payments", "refunds").And(Decode()), Skip()), On(Any(), Skip())},
			[]string{"policy rule 2 (topic payments or refunds and decode)", `Topic(["payments" "refunds"])`, `for "orders" alone`, "correct the name, or remove the rule"}},
		{"both at once", Policy{On(Topic("orders").And(Topic("payments")), Skip())}, []string{"rule 1", `Topic(["payments"])`, `for "orders" alone`}},
		{"behind its own", Policy{On(Topic("orders"), Skip()), On(Panic(), Skip())}, []string{"rule 2 (panic)", "never reached", "rule 1 (topic orders)"}},
		{"behind its own, of a class", Policy{On(Topic("orders").And(Panic()), Skip()), On(Panic(), Skip())}, []string{"rule 2 (panic)", "never reached"}},
		{"letters behind its own", Policy{On(Topic("orders"), Skip()), On(Class(messages.ClassDeadLetter), Retry(Quick()))}, nil},
		{"an empty name", Policy{On(Topic(""), Skip())}, []string{"rule 1", "empty name"}},
		{"no matcher", Policy{{Do: []Directive{Skip()}}}, []string{"rule 1 (no matcher)", "make the rule with On("}},
		{"named", Policy{{Name: "mine", On: Topic("x"), Do: []Directive{Skip()}}}, []string{"rule 1 (mine)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.ValidateFor("orders")
			if len(tt.want) == 0 || err == nil {
				if err != nil || len(tt.want) != 0 {
					t.Fatal(err)
				}
				return
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one fault:\n%v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q misses %q", err, part)
				}
			}
		})
	}
	p := Policy{On(Topic("orders"), Skip())}
	if _, _ = p.ValidateFor("payments"), p.ValidateFor("orders"); p.Validate() != nil || !slices.Equal(p.Topics(), []string{"orders"}) {
		t.Error("the policy was changed")
	}
}

func TestPolicyUses(t *testing.T) {
	policy := Policy{On(Panic(), Skip()), On(Any(), Restart(Backoff{}).Times(2), Park("x"))}
	for action, want := range map[messages.Action]bool{
		messages.ActionSkip: true, messages.ActionRestart: true, messages.ActionPark: true,
		messages.ActionRetry: false, messages.ActionEscalate: false, messages.ActionDeadLetter: false,
	} {
		if got := policy.Uses(action); got != want {
			t.Errorf("uses %v: %v", action, got)
		}
		if got := (Policy)(nil).Uses(action); got != (action == messages.ActionRetry) {
			t.Errorf("nil uses %v: %v", action, got)
		}
	}
}

func TestPolicyTopics(t *testing.T) {
	p := Policy{On(Topic("b", "a"), Skip()), On(Panic().And(Topic("b", "c")), Skip()), On(Any(), Skip()), {}}
	if got := p.Topics(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
}

func TestPolicyTargets(t *testing.T) {
	p := Policy{On(Panic(), DeadLetter("b")), On(Decode(), Retry(Quick()).Times(1), DeadLetter("a")), On(Any(), DeadLetter("b")), {}}
	if got := p.Targets(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}
