package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// decided is what was decided, as "Restart/0".
func decided(p *consumertest.Partition) (all []string) {
	for _, d := range p.Decisions() {
		all = append(all, fmt.Sprintf("%v/%d", d.Action, d.Step))
	}
	return all
}

// A handler that panics at every record is not restarted for each of them for ever: the window is the partition's, and the
// records that come and go, the restarts and an operator do not begin it anew. Time does, and another partition has its own.
func TestAWindowOutlivesRecordsAndRestarts(t *testing.T) {
	cfg := consumer.Config{
		Handler: func(context.Context, *messages.Record) error { panic("boom") },
		Policy:  supervisor.Policy{supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(0)).Within(3, time.Hour), supervisor.Skip())},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		a, b := k.Assign("orders", 0), k.Assign("orders", 1)
		a.Append("a", "b")
		k.Advance(time.Minute)
		if got, want := decided(a), []string{"Restart/0", "Restart/0", "Restart/0", "Skip/1", "Skip/1"}; !slices.Equal(got, want) {
			t.Errorf("decided %v, want %v", got, want)
		}
		b.Append("a")
		k.Advance(time.Hour)
		a.Append("c")
		k.Advance(time.Minute)
		if got := decided(b); len(got) != 4 {
			t.Errorf("the neighbour: decided %v, want three restarts and a skip", got)
		}
		if got := decided(a)[5:]; !slices.Equal(got, []string{"Restart/0", "Restart/0", "Restart/0", "Skip/1"}) {
			t.Errorf("an hour later: decided %v", got)
		}
	})
}

// The age is the record's in this claim: restarts and an operator's retries do not renew it, the next record and the next
// claim do.
func TestTheAgeOfAFailureOutlivesRestartsAndParks(t *testing.T) {
	cfg := consumer.Config{
		Handler: func(context.Context, *messages.Record) error { panic("boom") },
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Any(), supervisor.Restart(supervisor.Every(time.Minute)).For(150*time.Second), supervisor.Park("for too long")),
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(10 * time.Minute) // failures at 0, 1, 2 and 3 minutes
		want := []string{"Restart/0", "Restart/0", "Restart/0", "Park/1"}
		if got := decided(p); !slices.Equal(got, want) {
			t.Fatalf("decided %v, want %v", got, want)
		}
		if err := p.Retry(0); err != nil {
			t.Fatal(err)
		}
		k.Advance(time.Minute)
		if got := decided(p)[4:]; !slices.Equal(got, []string{"Park/1"}) {
			t.Errorf("after the operator's retry: decided %v, want the park", got)
		}
		if err := p.Skip(0); err != nil {
			t.Fatal(err)
		}
		k.Advance(10 * time.Minute)
		if got := decided(p)[5:]; !slices.Equal(got, want) {
			t.Errorf("the next record: decided %v, want %v", got, want)
		}
		p.Revoke()
		p = k.Assign("orders", 0)
		k.Advance(time.Second)
		if got := p.Status(); got.State != messages.StateParked {
			t.Errorf("the next owner: %v, want the park", got.State)
		}
		before := len(decided(p))
		if err := p.Retry(1); err != nil {
			t.Fatal(err)
		}
		k.Advance(10 * time.Minute)
		if got := decided(p)[before:]; !slices.Equal(got, want) {
			t.Errorf("with the next owner: decided %v, want %v", got, want)
		}
	})
}

// A handler that knows better directs, and the table has no word in it.
func TestAHandlerDirects(t *testing.T) {
	cfg := consumer.Config{
		Handler: func(context.Context, *messages.Record) error {
			return supervisor.Directed(errDown, supervisor.Retry(supervisor.Every(time.Second)).Times(2), supervisor.Skip())
		},
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Escalate())},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(10 * time.Second)
		want := []string{"Retry/0", "Retry/0", "Skip/1", "Retry/0", "Retry/0", "Skip/1"}
		if got := decided(p); !slices.Equal(got, want) || p.Committed() != 2 {
			t.Errorf("decided %v, want %v; committed %d", got, want, p.Committed())
		}
	})
}
