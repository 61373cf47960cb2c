package source

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestLeadersMove: with records coming all the time, leaders are shuffled, a leader is removed, a new broker gets a
// partition: no gap, no duplicate, and no record waits for long.
func TestLeadersMove(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(c *kfake.Cluster) error{
		"shuffled": func(c *kfake.Cluster) error {
			for range 10 {
				c.ShufflePartitionLeaders()
				during(20 * time.Millisecond)
			}
			return nil
		},
		"moved": func(c *kfake.Cluster) error {
			return c.MoveTopicPartition("t", 0, (c.LeaderFor("t", 0)+1)%3)
		},
		"removed": func(c *kfake.Cluster) error {
			return c.RemoveNode(c.LeaderFor("t", 0))
		},
		"added": func(c *kfake.Cluster) error {
			id, _, err := c.AddNode(-1, 0)
			if err != nil {
				return err
			}
			return c.MoveTopicPartition("t", 0, id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const parts = 4
			c := newCluster(t, 3, parts)
			s := newSource(t, c.ListenAddrs(), Options{})
			boxes := make([]*box, parts)
			for p := range boxes {
				boxes[p] = openBox(t, s, int32(p), 0, mib, nil)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			counts := make([]int, parts)
			var wg sync.WaitGroup
			for p := range parts {
				cl := newProducer(t, c.ListenAddrs())
				wg.Go(func() {
					for ctx.Err() == nil {
						produce(t, cl, int32(p), "x")
						counts[p]++
						during(2 * time.Millisecond)
					}
				})
			}
			during(200 * time.Millisecond)
			if err := event(c); err != nil {
				t.Fatal(err)
			}
			before := boxes[0].count()
			eventually(t, 5*time.Second, "records come again", func() bool { return boxes[0].count() > before+20 })
			cancel()
			wg.Wait()
			for p, b := range boxes {
				end := int64(counts[p])
				eventually(t, 5*time.Second, "everything comes", func() bool { return b.count() >= int(end) })
				if err := b.upTo(0, end); err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
				if errs := b.failures(); len(errs) > 0 {
					t.Errorf("partition %d: %v", p, errs)
				}
			}
		})
	}
}
