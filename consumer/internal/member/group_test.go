package member

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// What a commit is answered reaches the machine; a commit of before a move does not.
func TestReportsOfCommits(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		place := a.m.options.Coordinator
		finds := c.Requests(membertest.Find)
		id := a.m.Identity()
		place.Report(id, sarama.ErrNotCoordinatorForConsumer)
		calm()
		if n := c.Requests(membertest.Find) - finds; n < 1 || n > 2 || a.losses() > 0 {
			t.Errorf("%d look-ups, lost %v", n, a.lost)
		}
		place.Report(id, sarama.ErrUnknownMemberId) // sent to the coordinator of before
		calm()
		if a.losses() > 0 {
			t.Errorf("lost %v", a.lost)
		}
		changed := place.Changed()
		place.Report(a.m.Identity(), sarama.ErrUnknownMemberId)
		<-changed
		a.await(t, "loses all", func(r *recorder) bool { return len(r.lost) == 1 })
		a.await(t, "is back", owns(4))
		if now := a.m.Identity(); now.Member == id.Member || !now.Valid() {
			t.Errorf("was %+v, is %+v", id, now)
		}
	})
}

// The offsets connection works while a join waits for another member, with the identity of now: commits are never
// locked out by a rebalance. And the coordinator does not ask who owns the partition.
func TestCommitsDuringARebalance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a, b := scripted(t, c, all, "a"), scripted(t, c, all, "b")
		a.await(t, "owns its half", owns(2))
		b.await(t, "owns its half", owns(2))
		calm()
		a.m.Rejoin("a test wants it") // b learns of it by its next heartbeat, up to 3 s later
		commit := func(next int64) error {
			id := a.m.Identity()
			q := &sarama.OffsetCommitRequest{Version: 7, ConsumerGroup: "g", ConsumerID: id.Member, ConsumerGroupGeneration: id.Generation}
			for p := range int32(4) {
				q.AddBlock("t", p, next, 0, "")
			}
			p, err := conn.Call(t.Context(), a.m.options.Coordinator, conn.Offsets, func(c conn.Conn) (*sarama.OffsetCommitResponse, error) {
				return c.CommitOffset(q)
			})
			if err != nil {
				return err
			}
			return conn.AsError(p.Errors["t"][0])
		}
		generation := c.Generation()
		accepted, next := 0, int64(0)
		for began := time.Now(); c.Generation() == generation && time.Since(began) < time.Minute; next++ {
			time.Sleep(50 * time.Millisecond)
			if err := commit(next); err == nil {
				accepted++
			} else if !errors.Is(err, sarama.ErrRebalanceInProgress) && !errors.Is(err, sarama.ErrIllegalGeneration) {
				t.Fatal(err)
			}
		}
		if accepted < int(next)-3 {
			t.Errorf("%d of %d commits were accepted while the join waited", accepted, next)
		}
		for p := range int32(4) { // also of the partitions that b owns
			if o, ok := c.Committed("t", p); !ok || o.Next < next-3 {
				t.Errorf("partition %d: %+v", p, o)
			}
		}
		if a.losses()+b.losses() > 0 {
			t.Errorf("lost %v %v", a.lost, b.lost)
		}
	})
}

// Only the leader looks at the topics again and again; a follower looks once where a topic of its own gave it
// nothing, and goes on only while it is missing.
func TestWhoLooksAtTheTopics(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a, b := scripted(t, c, all, "a"), scripted(t, c, all, "b")
		idle := scripted(t, c, all, "c", func(o *Options) { o.Topics = []string{"t", "later"} })
		settled(t, c, all, time.Minute)
		idle.await(t, "reads of the topic", func(r *recorder) bool { return len(r.notices) == 1 })
		if text := idle.notices[0].Error(); !strings.Contains(text, `"later" does not exist`) || strings.Contains(text, `"t"`) {
			t.Errorf("%q", text)
		}
		if c.Topic("later") != 0 {
			t.Error("created by asking for it")
		}
		c.SetTopic("later", 1)
		idle.await(t, "owns it", func(r *recorder) bool { _, ok := r.owned[tp{"later", 0}]; return ok })
		idle.await(t, "reads that it is there", func(r *recorder) bool { return len(r.notices) == 2 && r.notices[1] == nil })
		if len(a.notices)+len(b.notices) > 0 {
			t.Errorf("who does not subscribe to it need not know: %v %v", a.notices, b.notices)
		}
		time.Sleep(time.Minute)
		looks := c.Requests(membertest.Metadata)
		time.Sleep(10 * time.Minute)
		if n := c.Requests(membertest.Metadata) - looks; n < 59 || n > 61 {
			t.Errorf("%d looks in ten minutes, want one every 10 s, the leader's", n)
		}
	})
}

// A topic with partitions that answers TOPIC_AUTHORIZATION_FAILED for a moment is not taken from its owners: the plan
// of a broker that cannot answer is no plan.
func TestMetadataThatFailsForAMoment(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		c.Fail(membertest.Metadata, sarama.ErrUnknown, sarama.ErrUnknown, sarama.ErrUnknown)
		a.m.Rejoin("a test wants it")
		calm()
		if a.count() != 4 || a.losses() > 0 || a.revoked > 0 {
			t.Errorf("owns %d, lost %v, revoked %d", a.count(), a.lost, a.revoked)
		}
	})
}

// What keeps failing is tried again at growing distances, and read of: a group that rebalances a hundred times a second
// serves nobody, and neither does one that has stopped without a word.
func TestAssignmentsThatFailForMinutes(t *testing.T) {
	for api, what := range map[membertest.API]string{membertest.Sync: "a broker's error in syncs", membertest.Metadata: "a plan without metadata"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
				a, b := scripted(t, c, all, "a"), scripted(t, c, all, "b")
				a.await(t, "owns its half", owns(2))
				b.await(t, "owns its half", owns(2))
				calm()
				c.Fail(api, slices.Repeat([]sarama.KError{sarama.ErrUnknown}, 10_000)...)
				joins, finds := c.Requests(membertest.Join), c.Requests(membertest.Find)
				a.m.Rejoin("a test wants it")
				time.Sleep(2 * time.Minute)
				if n := c.Requests(membertest.Join) - joins; n < 20 || n > 150 {
					t.Errorf("%d joins of two members in two minutes", n)
				}
				if n := c.Requests(membertest.Find) - finds; n > 0 {
					t.Errorf("%d look-ups of a coordinator that answers", n)
				}
				notices := append(a.said(), b.said()...)
				if len(notices) == 0 || len(notices) > 2 || !strings.Contains(notices[0].Error(), `group "g" cannot be assigned`) {
					t.Errorf("notices %q", notices)
				}
				if all.count() != 4 || a.losses()+b.losses() > 0 {
					t.Errorf("owned %d, lost %v %v", all.count(), a.lost, b.lost)
				}
				c.Mend(api)
				time.Sleep(time.Minute)
				for _, r := range []*recorder{a, b} {
					if n := r.said(); len(n) > 0 && n[len(n)-1] != nil {
						t.Errorf("%s still reads %v", r.name, n[len(n)-1])
					}
				}
			})
		})
	}
}

// Brokers close what is idle for ten minutes. In a group that is stable for so long, the next rebalance finds the
// connection for joins closed; that says nothing about the coordinator, and the other connections stay.
func TestARebalanceAfterQuietMinutes(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		c.SetIdle(10 * time.Minute)
		a, b := scripted(t, c, all, "a"), scripted(t, c, all, "b")
		a.await(t, "owns its half", owns(2))
		b.await(t, "owns its half", owns(2))
		time.Sleep(time.Hour)
		finds, generation := c.Requests(membertest.Find), c.Generation()
		a.m.Rejoin("a test wants it")
		calm()
		if n := c.Requests(membertest.Find) - finds; n > 0 || c.Generation() == generation {
			t.Errorf("%d look-ups of a coordinator that has not moved; %v", n, c)
		}
	})
}

// The same claims survive a rebalance that changes nothing: nobody is told anything.
func TestKeptPartitionsDoNotNoticeARebalance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		before := maps.Clone(a.owned)
		generation := c.Generation()
		a.m.Rejoin("a test wants it")
		calm()
		if c.Generation() == generation {
			t.Fatal("no rebalance")
		}
		for p, mc := range a.owned {
			if before[p] != mc {
				t.Errorf("was %v, is %v", before[p], mc)
			}
		}
		if a.revoked > 0 {
			t.Errorf("%d revocations", a.revoked)
		}
	})
}
