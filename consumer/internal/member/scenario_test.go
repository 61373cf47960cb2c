package member

import (
	"context"
	"errors"
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
