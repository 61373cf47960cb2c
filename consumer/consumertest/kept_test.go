package consumertest_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// keeper keeps every record, and completes the last one when it is told so.
type keeper struct {
	record  *messages.Record
	flushes bool // it heeds Revoked
}

func (a *keeper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		a.record = m
		m.Keep()
	case *messages.Revoked:
		if a.flushes && a.record != nil {
			a.record.Complete(nil)
		}
	case error:
		a.record.Complete(m)
	}
}

func keeping(flushes bool) consumertest.Config {
	return consumertest.Config{
		Actor:  func() actor.Actor { return &keeper{flushes: flushes} },
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Second)))},
	}
}

// forgets leaves a record kept in the second attempt.
func forgets(k *consumertest.Kit) {
	p := k.Assign("orders", 3)
	p.Append("a")
	p.Send(errDown)
	k.Advance(2 * time.Second)
}

func TestAllowKept(t *testing.T) {
	consumertest.Run(t, keeping(false), func(_ *testing.T, k *consumertest.Kit) {
		k.AllowKept()
		forgets(k)
	})
}

func TestARecordThatIsCompletedByTheDrainIsNotLeft(t *testing.T) {
	consumertest.Run(t, keeping(true), func(_ *testing.T, k *consumertest.Kit) { forgets(k) })
}

func TestARecordWhoseClaimEndedIsNotLeft(t *testing.T) {
	consumertest.Run(t, keeping(false), func(_ *testing.T, k *consumertest.Kit) {
		k.Assign("orders", 0).Append("a")
		lost := k.Assign("orders", 1)
		lost.Append("a")
		lost.Lose(errDown)
		_ = k.Kill()
	})
}

// The same without AllowKept, in a process of its own, because it has to fail.
func TestAKeptRecordFailsTheTestByName(t *testing.T) {
	const inside = "OTTLA_TEST_KEPT"
	if os.Getenv(inside) != "" {
		consumertest.Run(t, keeping(false), func(_ *testing.T, k *consumertest.Kit) { forgets(k) })
		return
	}
	out := failing(t, inside)
	for _, want := range []string{
		"orders/3@0 (attempt 1) is kept since 1s and was never completed", "what happened, in virtual time", "orders/3@0 is delivered, attempt 1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// failing runs the test once more in a process of its own, with the variable set, and answers what it prints.
func failing(t *testing.T, variable string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), variable+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil {
		t.Errorf("the test passed:\n%s", &out)
	}
	return out.String()
}
