package supervisor_test

import (
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

// Each partition has a budget of its own: one that has used it up delays no other. A revocation does not wait for a turn, and
// the next claim begins with a full budget.
func TestRateOfPartitions(t *testing.T) {
	cfg := config{Handler: consumertest.Script(), Limit: consumer.Limit{PerSecond: 0.1, Burst: 2}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b", "c", "d", "e")
		k.Advance(time.Second)
		other.Append("a", "b", "c")
		k.Advance(10 * time.Second)
		expect(t, "one", deliveredAt(p), "0#0@0s 1#0@0s 2#0@10s")
		expect(t, "the other", deliveredAt(other), "0#0@1s 1#0@1s 2#0@11s")
		expect(t, "committed", p.Committed(), 3)
		expect(t, "state", p.Status().State, messages.StateBusy)
		expect(t, "the revocation took", p.Revoke(), 0)
		p = k.Assign("orders", 0)
		k.Advance(time.Second)
		expect(t, "the next claim", deliveredAt(p), "3#0@11s 4#0@11s")
	})
}

// Without a Burst it is a tenth of a second's worth; without a rate there is no limit.
func TestRateDefaults(t *testing.T) {
	values := make([]string, 100)
	for limit, want := range map[consumer.Limit]int{{}: 100, {PerSecond: 200}: 20, {PerSecond: 9}: 1, {PerSecond: 9, Burst: 5}: 5} {
		consumertest.Run(t, config{Handler: consumertest.Script(), Limit: limit}, func(t *testing.T, k *kit) {
			p := k.Assign("orders", 0)
			p.Append(values...)
			if got := len(p.Deliveries()); got != want {
				t.Errorf("%+v: %d at once, want %d", limit, got, want)
			}
			k.Advance(time.Minute)
			expect(t, "all", len(p.Deliveries()), 100)
		})
	}
}
