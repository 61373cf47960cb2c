package conformance

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer"
)

// soon is what a commit may take, in the median, on a broker that is not far away.
const soon = 50 * time.Millisecond

// TestCommitIsSoonAcknowledged: the broker that coordinates the group also leads its partitions, as on every cluster of one
// node, and a fetch waits there for records. A client that has one connection for each broker, on which one request waits for
// the other, acknowledges nothing before that fetch is answered: with sarama's consumer group and its default of 500 ms, each
// commit takes 480 ms in the median. Here fetches wait for two seconds, and from the end of a handler to the acknowledgement
// it is less than 50 ms in the median, whether each record waits for its commit or not.
func TestCommitIsSoonAcknowledged(t *testing.T) {
	const records = 15
	for _, mode := range []consumer.CommitMode{consumer.CommitEach, consumer.CommitCoalesced} {
		t.Run(mode.String(), func(t *testing.T) {
			k := cluster(t, kfake.NumBrokers(1))
			topic := k.topic(1)
			group := k.groupBeside(t, topic, 0)
			var mu sync.Mutex
			var began, ended []time.Time
			finished := func() []time.Time { mu.Lock(); defer mu.Unlock(); return ended }
			l := newLedger(1, records)
			cfg := k.config("a", group, topic)
			cfg.Commit.Mode = mode
			cfg.Fetch.MaxWait = 2 * time.Second
			cfg.Handler = l.keeps("a", func(ctx context.Context, _ *consumer.Record) error {
				at := time.Now()
				work(ctx.Done(), 20*time.Millisecond) // the next fetch is on its way by the end of it
				mu.Lock()
				defer mu.Unlock()
				began, ended = append(began, at), append(ended, time.Now())
				return nil
			})
			var took []time.Duration
			if mode == consumer.CommitEach { // the next record waits for the acknowledgement
				k.fill(topic, 1, 0, records)
				a := start(t, "a", cfg)
				eventually(t, "all are processed", l.done)
				a.leave()
				for n := range records - 1 {
					took = append(took, began[n+1].Sub(ended[n]))
				}
			} else { // a backlog that runs empty commits at once, and the status says when that was acknowledged
				a := start(t, "a", cfg)
				a.owns(1)
				for n := range records {
					k.fill(topic, 1, n, n+1)
					var at time.Time
					eventually(t, "it is acknowledged", func() bool {
						p := a.partitions()[0]
						at = p.CommittedAt
						return p.Committed == int64(n+1)
					})
					took = append(took, at.Sub(finished()[n]))
					work(t.Context().Done(), 60*time.Millisecond) // what is acknowledged within 50 ms is told after them
				}
				a.leave()
			}
			l.clean(t)
			slices.Sort(took)
			p50 := took[len(took)/2]
			t.Logf("from the end of a handler to the acknowledgement: %v in the median, %v at most", p50.Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond))
			if p50 >= soon {
				t.Errorf("a commit takes %v in the median, want less than %v: %v", p50, soon, took)
			}
		})
	}
}
