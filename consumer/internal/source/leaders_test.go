package source

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
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

// TestOrphanThatFallsDueDuringALookUp: two partitions, each refused twice, the second 20 ms after the first. The pause of
// 50 ms is over for the first, whose look-up takes 40 ms, and meanwhile for the other one: too late for this look-up,
// too early to be waited for afterwards. Nobody came back for it.
func TestOrphanThatFallsDueDuringALookUp(t *testing.T) {
	c := newCluster(t, 1, 2)
	fill(t, c.ListenAddrs(), 10, 2, 10)
	var refused [2]int
	var twice atomic.Int64
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		q := req.(*kmsg.FetchRequest)
		part := q.Topics[0].Partitions[0].Partition
		if refused[part] == 2 {
			return nil, nil, false
		}
		if refused[part]++; refused[part] == 2 {
			if part == 1 {
				c.SleepControl(func() { during(20 * time.Millisecond) })
			}
			twice.Add(1)
		}
		p := q.ResponseKind().(*kmsg.FetchResponse)
		rt, rp := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		rp.Partition, rp.ErrorCode, rp.RecordBatches = part, int16(sarama.ErrNotLeaderForPartition), []byte{}
		rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
		p.Topics = append(p.Topics, rt)
		return p, nil, true
	})
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if twice.Load() == 2 {
			c.SleepControl(func() { during(40 * time.Millisecond) })
		}
		return nil, nil, false
	})
	s := newSource(t, c.ListenAddrs(), Options{Connections: 2, Backoff: 50 * time.Millisecond})
	first, second := openBox(t, s, 0, 0, mib, nil), openBox(t, s, 1, 0, mib, nil)
	eventually(t, 5*time.Second, "both are read", func() bool { return first.count() == 5 && second.count() == 5 })
}
