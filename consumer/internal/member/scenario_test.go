package member

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// bubble runs a scenario on a scripted cluster with one topic, in virtual time.
func bubble(t *testing.T, partitions int, f func(t *testing.T, c *membertest.Cluster, all *ownership)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, membertest.New(map[string]int{"t": partitions}), newOwnership(t))
	})
}

func instance(id string) func(*Options) { return func(o *Options) { o.InstanceID = id } }

// calm waits until the heartbeats after a join have their usual interval.
func calm() { time.Sleep(10 * time.Second) }

// A cooperative rebalance has two steps, each found by a heartbeat. With the usual interval of 3 s that would be
// 6 s; the second step is found at once, because heartbeats are close together after a join.
func TestTheSecondStepOfARebalanceIsFoundAtOnce(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		began := time.Now()
		b := scripted(t, c, all, "b")
		b.await(t, "owns its half", owns(2))
		if took := time.Since(began); took > 3500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// The coordinator is silent for 20 s and then another broker takes over. No claim ends; a user reads of it after 5 s
// and reads that it is over.
func TestASilentCoordinatorEndsNothing(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a, b := scripted(t, c, all, "a"), scripted(t, c, all, "b")
		a.await(t, "owns its half", owns(2))
		b.await(t, "owns its half", owns(2))
		calm()
		generation := c.Generation()
		c.Silence(c.Coordinator(), true)
		silent := time.Now()
		a.await(t, "is told", func(r *recorder) bool { return len(r.notices) == 1 })
		if took := time.Since(silent); took < 5*time.Second || took > 15*time.Second {
			t.Errorf("told after %v", took)
		}
		if text := a.notices[0].Error(); !strings.Contains(text, "does not answer") || !strings.Contains(text, `group "g"`) {
			t.Errorf("%q", text)
		}
		time.Sleep(time.Until(silent.Add(20 * time.Second)))
		c.Move()
		for _, r := range []*recorder{a, b} {
			r.await(t, "reads that it is over", func(r *recorder) bool { return len(r.notices) == 2 && r.notices[1] == nil })
		}
		if took := time.Since(silent); took > 32*time.Second {
			t.Errorf("the new coordinator is found %v after the old one fell silent", took)
		}
		calm()
		if a.losses()+b.losses() > 0 || all.count() != 4 || c.Generation() != generation {
			t.Errorf("lost %v %v, owned %d, %v", a.lost, b.lost, all.count(), c)
		}
	})
}

// It is silent for longer than the lease: lost before the session is over, and back afterwards.
func TestACoordinatorThatIsSilentForTooLong(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		c.Silence("", true)
		silent := time.Now()
		a.await(t, "loses all", func(r *recorder) bool { return len(r.lost) == 1 })
		if took := time.Since(silent); took < 37*time.Second || took > 40500*time.Millisecond || !errors.Is(a.lost[0], ErrLease) {
			t.Errorf("lost %v after %v; 90 %% of 45 s are 40.5 s, less the time since the last heartbeat", a.lost, took)
		}
		c.Silence("", false)
		a.await(t, "is back", owns(4))
	})
}

// The coordinator is away while a member leaves. An unanswered leave would leave a ghost for which the group waits a
// session; it is repeated until it is answered.
func TestALeaveOutlastsTheCoordinator(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		c.Silence(c.Coordinator(), true)
		time.AfterFunc(12*time.Second, c.Move)
		a.leave(t)
		if m := c.Members(); len(m) != 0 {
			t.Errorf("members %v", m)
		}
		c.Silence("", false)
	})
}

// A consumer that stops at once after its start has asked for a member id by then. It leaves with it, and the group's
// next rebalance waits for nobody.
func TestAStopRightAfterTheStart(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		calm()
		joins := c.Requests(membertest.Join)
		b := scripted(t, c, all, "b")
		for c.Requests(membertest.Join) == joins {
			time.Sleep(100 * time.Microsecond)
		}
		b.leave(t)
		began := time.Now()
		next := scripted(t, c, all, "c")
		next.await(t, "owns its half", owns(2))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the group waits for %v", took)
		}
	})
}

// The first join asks for an id, and no other member has a say in the answer: silence is not waited for as long as a
// rebalance may take.
func TestAFirstJoinThatIsNotAnswered(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		c.SetLatency(100 * time.Millisecond)
		a := scripted(t, c, all, "a")
		for a.m.options.Coordinator.Addr() == "" {
			time.Sleep(10 * time.Millisecond)
		}
		c.Silence(c.Coordinator(), true)
		time.Sleep(time.Second)
		c.Move()
		began := time.Now()
		a.await(t, "owns all", owns(4))
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// An eager member stops, with a handler that runs for longer than the rebalance timeout, and another member joins. The
// group waits for the leaver as long as for any other, and gives its partitions away then: it has lost them by then.
func TestAnEagerMemberThatStopsIsNotWaitedForForEver(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		ranged := func(o *Options) { o.Strategies = eager() }
		a := scripted(t, c, all, "a", ranged)
		a.await(t, "owns all", owns(4))
		calm()
		a.note(func() { a.hold = 90 * time.Second })
		left := make(chan error, 1)
		go func() { left <- a.m.Leave(context.Background()) }()
		time.Sleep(time.Second)
		b := scripted(t, c, all, "b", ranged)
		b.await(t, "owns all", owns(4)) // and nobody else does: see ownership
		if err := <-left; err != nil || a.losses() != 1 {
			t.Errorf("%v, lost %v", err, a.lost)
		}
		time.Sleep(2 * time.Minute) // the release that comes late
	})
}

// Nobody answers: the leave gives up when its context ends, and says so.
func TestALeaveEndsWithItsContext(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		c.Silence("", true)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		err := a.m.Leave(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		a.m.Close()
		a.m.Close() // more than once is fine
	})
}

// Close overtakes a leave.
func TestCloseCutsALeave(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a")
		a.await(t, "owns all", owns(4))
		a.note(func() { a.hold = time.Hour })
		got := make(chan error, 1)
		go func() { got <- a.m.Leave(context.Background()) }()
		synctest.Wait()
		a.m.Close()
		if err := <-got; err == nil {
			t.Error("left in order, it says")
		}
		if n := len(c.Members()); n != 1 {
			t.Errorf("%d members: Close is a crash", n)
		}
	})
}

func TestNothingIsToldBeforeStart(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, _ *ownership) {
		r := &recorder{changed: make(chan struct{})}
		cluster := conn.NewCluster(conn.Settings{Seeds: c.Brokers(), Dial: c.Dial, Version: sarama.V3_6_0_0})
		defer cluster.Close()
		m := New(Options{Group: "g", Topics: []string{"t"}, Cluster: cluster, Coordinator: conn.NewCoordinator(c.Dial, "")}, r)
		time.Sleep(time.Minute)
		if n := c.Requests(membertest.Find); n != 0 || r.joins != 0 {
			t.Errorf("%d requests", n)
		}
		if err := m.Leave(t.Context()); err != nil {
			t.Errorf("there is nothing to leave: %v", err)
		}
		m.Close()
		m.Start() // a closed member stays closed
		time.Sleep(time.Minute)
		if n := c.Requests(membertest.Find); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// A handler never returns and nobody abandons it. The others have the partition in the end.
func TestAPartitionThatIsNeverReleased(t *testing.T) {
	for name, change := range map[string]func(*Options){"cooperative": func(*Options) {}, "eager": func(o *Options) { o.Strategies = eager() }} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
				a := scripted(t, c, all, "a", change)
				a.await(t, "owns all", owns(4))
				a.note(func() { a.hold = time.Hour })
				calm()
				began := time.Now()
				b := scripted(t, c, all, "b", change)
				a.await(t, "loses", func(r *recorder) bool { return len(r.lost) > 0 })
				for b.count() < 2 {
					time.Sleep(10 * time.Millisecond)
					if time.Since(began) > 2*time.Minute {
						t.Fatal("b has nothing")
					}
				}
				if took := time.Since(began); took > 65*time.Second || !errors.Is(a.lost[0], ErrRevokeTimeout) {
					t.Errorf("after %v, lost %v", took, a.lost)
				}
				a.m.Close()
				a.vanish()
				time.Sleep(2 * time.Hour) // the releases that come an hour late
			})
		})
	}
}

// A late release is one of an earlier claim of the same partition. It must not release the claim of now, which is
// being given up at the moment.
func TestALateReleaseOfAnEarlierClaim(t *testing.T) {
	c := newClaims("g")
	old := c.assign(parts(0), "m", 1)
	c.lose(parts(0))
	now := c.assign(parts(0), "m", 2)
	if old[0].Sequence >= now[0].Sequence {
		t.Errorf("%v, then %v: names are made of it", old, now)
	}
	if got := c.released(now); len(got) > 0 {
		t.Error("released without being asked to")
	}
	c.revoke(parts(0))
	if got := c.released(old); len(got) > 0 {
		t.Error("released by the claim before")
	}
	if got := c.released(now); len(got) != 1 {
		t.Error("not released")
	}
	if got := c.released(now); len(got) > 0 {
		t.Error("released twice")
	}
}

// A static member that leads restarts. Up to JoinGroup v8 it is told its former id as the leader's, so nobody would
// lead, and nobody would notice that the topic grows.
func TestAStaticLeaderRestartsAndTheTopicGrows(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a, b := scripted(t, c, all, "a", instance("a")), scripted(t, c, all, "b", instance("b"))
		a.await(t, "owns its half", owns(2))
		b.await(t, "owns its half", owns(2))
		calm()
		leader, name := a, "a"
		if strings.HasPrefix(c.Leader(), "b-") {
			leader, name = b, "b"
		}
		leader.leave(t)
		if n := len(c.Members()); n != 2 {
			t.Fatalf("%d members: a static member keeps its place", n)
		}
		again := scripted(t, c, all, name+" again", instance(name))
		again.await(t, "has its half back", owns(2))
		calm()
		c.SetTopic("t", 6)
		took := settled(t, c, all, 30*time.Second)
		if took > 15*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if a.losses()+b.losses()+again.losses() > 0 {
			t.Errorf("lost %v %v %v", a.lost, b.lost, again.lost)
		}
	})
}

// Two processes with one instance id: the later one takes over, and the first one ends with a text that says so.
func TestASecondProcessWithTheSameInstance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, _ *ownership) {
		// KIP-345: the first learns of it by its next heartbeat, so both own everything for a moment.
		a := scripted(t, c, newOwnership(t), "a", instance("i"))
		a.await(t, "owns all", owns(4))
		calm()
		b := scripted(t, c, newOwnership(t), "b", instance("i"))
		b.await(t, "owns all", owns(4))
		a.await(t, "ends", func(r *recorder) bool { return r.ended != nil })
		if len(a.lost) != 1 || a.count() != 0 {
			t.Errorf("lost %v, owns %d: lost comes before the end", a.lost, a.count())
		}
		if text := a.ended.Error(); !strings.Contains(text, `InstanceID = "i"`) || !strings.Contains(text, "another process") {
			t.Errorf("%q", text)
		}
		joins := c.Requests(membertest.Join)
		time.Sleep(time.Minute)
		if n := c.Requests(membertest.Join); n != joins || b.count() != 4 {
			t.Errorf("%d joins more, b owns %d: the first one must stay away", n-joins, b.count())
		}
	})
}

// A static leader stops while its group rebalances. It stays a member, so nobody else makes the plan: it makes it, and
// the others have their partitions at once, not when the dead leader's session is over.
func TestAStaticLeaderStopsInARebalance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		ranged := func(o *Options) { o.Strategies = eager() }
		a := scripted(t, c, all, "a", instance("a"), ranged)
		a.await(t, "owns all", owns(4))
		b := scripted(t, c, all, "b", instance("b"), ranged)
		b.await(t, "owns its half", owns(2))
		a.await(t, "owns its half", owns(2))
		calm()
		before := b.revocations()
		b.note(func() { b.hold = 5 * time.Second })
		a.m.Rejoin("a test wants it")
		b.await(t, "gives up", func(r *recorder) bool { return r.revoked > before })
		time.Sleep(time.Second)
		began := time.Now()
		a.leave(t)
		b.await(t, "has its half back", owns(2))
		if took := time.Since(began); took > 6*time.Second || len(c.Members()) != 2 {
			t.Errorf("after %v, %v", took, c)
		}
	})
}

// thinking is a strategy whose plan takes long.
type thinking struct {
	sarama.BalanceStrategy

	plan func()
}

func (s thinking) Plan(m map[string]sarama.ConsumerGroupMemberMetadata, t map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	s.plan()
	return s.BalanceStrategy.Plan(m, t)
}

// astray is a connection on which joins get lost without a word.
type astray struct {
	conn.Conn

	on   *atomic.Bool
	dead chan struct{}
	once *sync.Once
}

func (a astray) JoinGroup(q *sarama.JoinGroupRequest) (*sarama.JoinGroupResponse, error) {
	if !a.on.CompareAndSwap(true, false) {
		return a.Conn.JoinGroup(q)
	}
	<-a.dead
	return nil, errors.New("killed")
}

func (a astray) Kill() {
	a.once.Do(func() { close(a.dead) })
	a.Conn.Kill()
}

// A join gets lost: the connection was idle for days, and something in between has forgotten it. Heartbeats, on theirs,
// are answered well. The group has another join before it gives away what the member owns.
func TestAJoinThatGetsLostIsSentAgainInTime(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		var on atomic.Bool
		a := scripted(t, c, all, "a", func(o *Options) {
			o.Coordinator = conn.NewCoordinator(func(addr string) conn.Conn {
				return astray{c.Dial(addr), &on, make(chan struct{}), &sync.Once{}}
			}, "")
		})
		a.await(t, "owns all", owns(4))
		calm()
		on.Store(true)
		began := time.Now()
		b := scripted(t, c, all, "b")
		b.await(t, "owns its half", owns(2))
		if took := time.Since(began); took > 40*time.Second || a.losses() > 0 {
			t.Errorf("took %v, lost %v; the group waits for 60 s", took, a.lost)
		}
	})
}

// A member stops while the leader thinks about its plan for longer than there is time. It leaves all the same.
func TestAStopWhileTheLeaderThinks(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		var slow atomic.Bool
		a := scripted(t, c, all, "a", func(o *Options) {
			o.Strategies = []sarama.BalanceStrategy{thinking{sarama.NewBalanceStrategyRange(), func() {
				if slow.Load() {
					time.Sleep(30 * time.Second)
				}
			}}}
		})
		a.await(t, "owns all", owns(4))
		calm()
		slow.Store(true)
		syncs := c.Requests(membertest.Sync)
		b := scripted(t, c, all, "b", func(o *Options) { o.Strategies = eager() })
		for c.Requests(membertest.Sync) == syncs {
			time.Sleep(time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := b.m.Leave(ctx); err != nil || len(c.Members()) != 1 {
			t.Errorf("%v, %v", err, c)
		}
		time.Sleep(2 * time.Minute)
		if a.count() != 4 {
			t.Errorf("a owns %d", a.count())
		}
	})
}

// LeaveStatic leaves the group for good.
func TestAStaticMemberLeavesForGood(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a", instance("a"), func(o *Options) { o.LeaveStatic = true })
		a.await(t, "owns all", owns(4))
		a.leave(t)
		if m := c.Members(); len(m) != 0 {
			t.Errorf("members %v", m)
		}
	})
}

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
