package supervisor

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

func TestWhatTheHandlerDirectsComesBeforeTheTable(t *testing.T) {
	policy := Policy{On(Any(), Retry(Every(time.Hour)))}
	cause := failure(fmt.Errorf("order 7: %w", Directed(io.EOF, Retry(Every(time.Second)).Times(2), Skip())))
	plain := failure(io.EOF)
	got := policy.Decide(cause, plain, cause, cause)
	for i, want := range []messages.Decision{
		{Action: messages.ActionRetry, Delay: time.Second, Rule: "directed by the handler", Left: 1},
		{Action: messages.ActionRetry, Delay: time.Hour, Rule: "any failure", Left: -1},
		{Action: messages.ActionRetry, Delay: time.Second, Rule: "directed by the handler", Left: 0},
		{Action: messages.ActionSkip, Rule: "directed by the handler", Step: 1, Left: -1},
	} {
		if got[i] != want {
			t.Errorf("failure %d: %+v, want %+v", i, got[i], want)
		}
	}
	if !errors.Is(cause.Err, io.EOF) || cause.Err.Error() != "order 7: EOF" {
		t.Errorf("the failure is hidden: %v", cause.Err)
	}
	if got := Directed(nil, Skip()).Error(); got != "ottla: directed: Skip" {
		t.Errorf("without an error: %s", got)
	}
}

func TestAPanicThatDirectsARetryIsARestart(t *testing.T) {
	f := failure(&messages.PanicError{Value: Directed(io.EOF, Retry(Every(time.Second)))})
	if got := DefaultPolicy().Decide(f)[0]; got.Action != messages.ActionRestart || got.Delay != time.Second {
		t.Errorf("%+v", got)
	}
}

// A handler that makes up its mind anew gets new budgets: those of other steps say nothing of these.
func TestOtherStepsBeginAnew(t *testing.T) {
	first := failure(Directed(io.EOF, Retry(Every(1)).Times(1), Park("a")))
	second := failure(Directed(io.EOF, Retry(Every(1)).Times(1), Park("b")))
	if got := actionsOf((Policy)(nil).Decide(first, second, second, first, first)); got != "Re Re Pa Re Pa " {
		t.Errorf("decided %s", got)
	}
}

// Nothing checks them at start-up: what a Policy would be refused for is not carried out, and it is said.
func TestWrongDirectionsAreAnOrdinaryFailure(t *testing.T) {
	policy := Policy{On(Is(io.EOF), Park("look"))}
	for text, do := range map[string][]Directive{
		"has no steps":               nil,
		"has no budget":              {Retry(Quick()), Skip()},
		"belongs into a Policy":      {Retry(Quick()).Within(3, time.Minute), Skip()},
		"on the last step":           {Retry(Quick()).Times(1)},
		"is a zero Directive":        {{}},
		"Base is -1ns: a delay cann": {Retry(Backoff{Base: -1})},
	} {
		got := policy.Decide(failure(Directed(io.EOF, do...)))[0]
		if got.Action != messages.ActionPark || !strings.Contains(got.Rule, `error is "EOF"; what the handler directed is refused: `) || !strings.Contains(got.Rule, text) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
