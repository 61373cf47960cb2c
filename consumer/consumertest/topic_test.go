package consumertest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
)

// A partition of a topic that nobody handles is no claim that fails for ever, it fails the test by name.
func TestAssignOfATopicThatNobodyHandles(t *testing.T) {
	const inside = "OTTLA_TEST_NOBODY"
	cfg := consumer.Config{PerTopic: map[string]consumer.Topic{"orders": {Handler: consumertest.Script()}}}
	if os.Getenv(inside) != "" {
		consumertest.Run(t, cfg, func(_ *testing.T, k *consumertest.Kit) { k.Assign("payments", 3) })
		return
	}
	if out := failing(t, inside); !strings.Contains(out, "Assign(payments/3): nobody handles this topic: the Config has neither Handler nor Actor, and PerTopic has no such topic") {
		t.Errorf("it says\n%s", out)
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) { // only those of PerTopic, and Topics are not needed
		p := k.Assign("orders", 0)
		p.Append("a")
		if p.Committed() != 1 || len(p.Deliveries()) != 1 {
			t.Errorf("committed %d, delivered %v", p.Committed(), p.Deliveries())
		}
	})
	cfg.Handler = consumertest.Script()
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("payments", 3)
		p.Append("a")
		if p.Committed() != 1 {
			t.Errorf("with a Handler for all others: committed %d", p.Committed())
		}
	})
}
