package consumertest

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fault is one that was injected into a Cluster.
type Fault struct {
	c      *Cluster
	handle *kfake.FaultHandle
}

// Fail answers the next n requests of a kind with an error, in the place of carrying them out; n < 0: all, until Heal.
// Kinds and errors have the names of Kafka's protocol: Fail("OffsetCommit", 2, "NOT_COORDINATOR"), "Heartbeat" with
// "REBALANCE_IN_PROGRESS", "Fetch" with "NOT_LEADER_FOR_PARTITION". Another name fails the test. Requests of every group,
// and of Produce, count.
//
// Only the answer is false; the brokers do not make it true. After a "Heartbeat" with "UNKNOWN_MEMBER_ID" the member
// joins as another one, and the group waits for the one that it still knows until SessionTimeout is over.
func (c *Cluster) Fail(kind string, n int, code string) *Fault {
	c.t.Helper()
	key, known := requestNamed(kind)
	if !known {
		c.t.Fatalf("Kafka has no request %q", kind)
	}
	answer := errorNamed(code)
	if answer == nil {
		c.t.Fatalf("Kafka has no error %q", code)
	}
	if n == 0 { // kfake takes it for one
		c.t.Fatal("Fail with no request to answer")
	}
	f := &Fault{c, c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: answer, Count: n})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
	return f
}

// Hits is how many requests were answered so.
func (f *Fault) Hits() int { return f.handle.Hits() }

// Await waits until n requests were answered so: without it a test may end before its fault was met. The test fails after
// 30 s.
func (f *Fault) Await(n int) {
	f.c.t.Helper()
	ctx, cancel := context.WithTimeout(f.c.t.Context(), awaiting)
	defer cancel()
	if f.handle.Wait(ctx, n) != nil {
		f.c.t.Fatalf("%d requests met the fault within %v, not %d", f.Hits(), awaiting, n)
	}
}

// Cut breaks all connections, and every new one at once, until Heal: nobody reaches a broker.
func (c *Cluster) Cut() { c.wire.cut(true) }

// Heal ends all that Fail and Cut began.
func (c *Cluster) Heal() {
	c.wire.cut(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		f.handle.Remove()
	}
	c.faults = nil
}

// Move gives every partition another leader, and every group another coordinator, as a rolling restart of brokers does.
// The requests that are under way to the old ones are refused.
func (c *Cluster) Move() {
	c.fake.ShufflePartitionLeaders()
	c.fake.RehashCoordinators()
}

func requestNamed(kind string) (kmsg.Key, bool) {
	for key := range int16(kmsg.MaxKey + 1) {
		if kmsg.NameForKey(key) == kind {
			return kmsg.Key(key), true
		}
	}
	return 0, false
}

func errorNamed(code string) *kerr.Error {
	const beyond = 500 // the codes of today end at 136
	for n := range int16(beyond) {
		if e := kerr.TypedErrorForCode(n); e != nil && e.Message == code {
			return e
		}
	}
	return nil
}
