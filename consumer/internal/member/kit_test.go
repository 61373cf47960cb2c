package member

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// longEnough bounds every wait; on a healthy machine none takes a tenth of it.
const longEnough = 20 * time.Second

// recorder is the supervisor's side: it notes what it is told, and gives partitions up after hold.
type recorder struct {
	name string
	all  *ownership
	hold time.Duration
	wait time.Duration // how long await waits

	mu      sync.Mutex
	m       *Member
	owned   map[tp]messages.Claim
	lost    []error
	ended   error
	notices []error
	joins   int
	revoked int
	changed chan struct{}
}

var _ supervisor.Inbox = (*recorder)(nil)

func (r *recorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) Joined(string, int32) { r.note(func() { r.joins++ }) }
func (r *recorder) Assigned(claims []messages.Claim) {
	r.note(func() {
		for _, c := range claims {
			r.owned[tp{c.Topic, c.Partition}] = c
			r.all.take(r.name, tp{c.Topic, c.Partition})
		}
	})
}

func (r *recorder) Revoked(claims []messages.Claim, deadline time.Time) {
	if time.Until(deadline) <= 0 {
		r.all.fault("%s: revoked with a deadline in the past", r.name)
	}
	r.note(func() { r.revoked++ })
	r.mu.Lock()
	hold := r.hold
	r.mu.Unlock()
	time.AfterFunc(hold, func() {
		r.note(func() {
			for _, c := range claims {
				delete(r.owned, tp{c.Topic, c.Partition})
				r.all.drop(r.name, tp{c.Topic, c.Partition})
			}
		})
		r.m.Released(claims)
	})
}

func (r *recorder) Lost(claims []messages.Claim, err error) {
	r.note(func() {
		r.lost = append(r.lost, err)
		for _, c := range claims {
			delete(r.owned, tp{c.Topic, c.Partition})
			r.all.drop(r.name, tp{c.Topic, c.Partition})
		}
	})
}
func (r *recorder) Ended(err error)                                 { r.note(func() { r.ended = err }) }
func (r *recorder) Notice(err error)                                { r.note(func() { r.notices = append(r.notices, err) }) }
func (r *recorder) CommitFailed(messages.Claim, int64, error, bool) {}
func (r *recorder) Committed(messages.Claim, int64)                 {}

// count is how many partitions are owned.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owned)
}

// await waits until what is told makes ok true.
func (r *recorder) await(t *testing.T, what string, ok func(r *recorder) bool) {
	t.Helper()
	limit := time.After(r.wait)
	for {
		r.mu.Lock()
		good, changed := ok(r), r.changed
		r.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%s: not within %v: %s; owned %d, lost %v, notices %v", r.name, r.wait, what, len(r.owned), r.lost, r.notices)
		}
	}
}

// ownership checks over all members that no partition has two owners.
type ownership struct {
	mu     sync.Mutex
	owner  map[tp]string
	faults []string
}

func newOwnership(t *testing.T) *ownership {
	o := &ownership{owner: map[tp]string{}}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, f := range o.faults {
			t.Error(f)
		}
	})
	return o
}

func (o *ownership) take(who string, p tp) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if old := o.owner[p]; old != "" {
		o.faults = append(o.faults, fmt.Sprintf("%v is given to %s while %s owns it", p, who, old))
	}
	o.owner[p] = who
}

func (o *ownership) drop(who string, p tp) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner[p] == who {
		delete(o.owner, p)
	}
}

func (o *ownership) fault(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, fmt.Sprintf(format, args...))
}

func broker(t *testing.T, partitions int32, topics ...string) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, topics...), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func eager() []sarama.BalanceStrategy {
	return []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
}

// join starts a member with short intervals.
func join(t *testing.T, c *kfake.Cluster, all *ownership, name string, change ...func(*Options)) *recorder {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	dialer, err := conn.NewDialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cluster := conn.NewCluster(conn.Settings{Seeds: c.ListenAddrs(), Dial: dialer.Dial, Version: cfg.Version})
	r := &recorder{name: name, all: all, wait: longEnough, owned: map[tp]messages.Claim{}, changed: make(chan struct{})}
	o := Options{
		Group: "g", Topics: []string{"t"}, Strategies: []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()},
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second, HeartbeatInterval: 50 * time.Millisecond,
		MetadataInterval: 100 * time.Millisecond, Backoff: 10 * time.Millisecond,
		Cluster: cluster,
	}
	for _, f := range change {
		f(&o)
	}
	if o.Coordinator == nil {
		o.Coordinator = conn.NewCoordinator(dialer.Dial, o.InstanceID)
	}
	r.m = New(o, r)
	t.Cleanup(func() { // the member's own goroutines, then what it stands on
		r.m.Close()
		cluster.Close()
		dialer.Close()
	})
	r.m.Start()
	return r
}
