package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// The supervisor is tested on the test kit: scripted seams that fault a supervisor which breaks their contract, in
// virtual time. The kit itself checks in every test that no two handlers run on one partition at a time, that the
// supervisor ends, and that no goroutine is left.

type (
	config    = consumertest.Config
	kit       = consumertest.Kit
	partition = consumertest.Partition
)

var (
	errBoom  = errors.New("boom")
	errOther = errors.New("something else")
)

const (
	earliest = -2 // consumer.Earliest
	latest   = -1 // consumer.Latest
)

// always is the policy of one rule for everything.
func always(do ...supervisor.Directive) supervisor.Policy {
	return supervisor.Policy{supervisor.On(supervisor.Any(), do...)}
}

// every waits d before each retry.
func every(d time.Duration) supervisor.Backoff { return supervisor.Every(d) }

// attempts is offset#attempt/incarnation of each delivery.
func attempts(p *partition) string {
	var out []string
	for _, d := range p.Deliveries() {
		out = append(out, fmt.Sprintf("%d#%d/%d", d.Offset, d.Attempt, d.Incarnation))
	}
	return strings.Join(out, " ")
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// failOn is a handler that fails with err at the record of one offset while its attempt is below times.
func failOn(offset int64, times int, outcome consumertest.Outcome) func(ctx context.Context, r *messages.Record) error {
	return func(ctx context.Context, r *messages.Record) error {
		if r.Offset == offset && r.Attempt < times {
			return outcome(ctx, r)
		}
		return nil
	}
}

// eventsOf are the events of one type.
func eventsOf[E messages.Event](k *kit) []E {
	var out []E
	for _, e := range k.Events() {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// logged says whether there is a line with all of the texts in it.
func logged(k *kit, texts ...string) bool {
	return slices.ContainsFunc(k.Logs(), func(l consumertest.Log) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(l.String(), text) })
	})
}

func lastCommit(t *testing.T, p *partition) consumertest.Commit {
	t.Helper()
	commits := p.Commits()
	if len(commits) == 0 {
		t.Fatal("nothing was committed")
	}
	return commits[len(commits)-1]
}
