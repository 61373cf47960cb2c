package member

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func owns(n int) func(*recorder) bool { return func(r *recorder) bool { return len(r.owned) == n } }

// Two members share, one leaves, the other has it all again; by both protocols.
func TestMembersShareAndTakeOver(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"cooperative": func(*Options) {},
		"eager":       func(o *Options) { o.Strategies = eager() },
		"a list with an eager one": func(o *Options) {
			o.Strategies = append(eager(), sarama.NewBalanceStrategyCooperativeSticky())
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, all := broker(t, 8, "t"), newOwnership(t)
			a := join(t, c, all, "a", change)
			a.await(t, "owns all", owns(8))
			b := join(t, c, all, "b", change)
			b.await(t, "owns its half", owns(4))
			a.await(t, "keeps its half", owns(4))
			ctx, cancel := context.WithTimeout(t.Context(), longEnough)
			defer cancel()
			if err := b.m.Leave(ctx); err != nil {
				t.Errorf("leave: %v", err)
			}
			if n := b.count(); n != 0 {
				t.Errorf("left with %d partitions", n)
			}
			a.await(t, "owns all again", owns(8))
			if len(a.lost)+len(b.lost) > 0 {
				t.Errorf("lost %v %v", a.lost, b.lost)
			}
		})
	}
}

// The coordinator moves twenty times: nothing is lost.
func TestTheCoordinatorMoves(t *testing.T) {
	c, all := broker(t, 8, "t"), newOwnership(t)
	a, b := join(t, c, all, "a"), join(t, c, all, "b")
	a.await(t, "owns its half", owns(4))
	b.await(t, "owns its half", owns(4))
	for range 20 {
		c.RehashCoordinators()
		moved := a.m.options.Coordinator.Changed()
		select {
		case <-moved:
		case <-time.After(300 * time.Millisecond): // it stayed where it was
		}
	}
	a.await(t, "owns its half after all", owns(4))
	b.await(t, "owns its half after all", owns(4))
	if len(a.lost)+len(b.lost) > 0 {
		t.Errorf("lost %v %v", a.lost, b.lost)
	}
}

// What each error means, told once as the answer to a heartbeat: some lose everything and come back, some lose
// nothing, some are the end.
func TestErrorsOfHeartbeats(t *testing.T) {
	for _, x := range []struct {
		code  sarama.KError
		lost  bool
		ended string
	}{
		{sarama.ErrNotCoordinatorForConsumer, false, ""},
		{sarama.ErrConsumerCoordinatorNotAvailable, false, ""},
		{sarama.ErrOffsetsLoadInProgress, false, ""},
		{sarama.ErrRebalanceInProgress, false, ""},
		{sarama.ErrUnknownMemberId, true, ""},
		{sarama.ErrIllegalGeneration, true, ""},
		{sarama.ErrFencedInstancedId, true, "InstanceID"},
		{sarama.ErrGroupAuthorizationFailed, true, "ACL"},
	} {
		t.Run(fmt.Sprint(int16(x.code)), func(t *testing.T) {
			c, all := broker(t, 4, "t"), newOwnership(t)
			a := join(t, c, all, "a", func(o *Options) { // the group misses the member that we forget for a session
				o.SessionTimeout, o.RebalanceTimeout = time.Second, time.Second
			})
			a.await(t, "owns all", owns(4))
			hit := make(chan struct{})
			c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
				defer close(hit)
				res, ok := req.ResponseKind().(*kmsg.HeartbeatResponse)
				if ok {
					res.ErrorCode = int16(x.code)
				}
				return res, nil, true
			})
			<-hit
			switch {
			case x.ended != "":
				a.await(t, "ends", func(r *recorder) bool { return r.ended != nil })
				if !errors.Is(a.ended, x.code) || !strings.Contains(a.ended.Error(), x.ended) {
					t.Errorf("ended with %q, which does not say what to do (%s)", a.ended, x.ended)
				}
				return
			case x.lost:
				a.await(t, "loses", func(r *recorder) bool { return len(r.lost) == 1 })
			}
			goesOn(t, c)
			a.await(t, "owns all", owns(4))
			if !x.lost && a.losses() > 0 {
				t.Errorf("lost %v", a.lost)
			}
		})
	}
}

// goesOn waits for the second heartbeat from now, which is sent after the first one's answer: what the member made of
// what it was told before shows by then.
func goesOn(t *testing.T, c *kfake.Cluster) {
	t.Helper()
	beats := make(chan struct{}, 1000)
	c.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		select {
		case beats <- struct{}{}:
		default:
		}
		return nil, nil, false
	})
	for range 2 {
		select {
		case <-beats:
		case <-time.After(longEnough):
			t.Fatal("no heartbeats")
		}
	}
}

// A session timeout that the broker refuses is named, with its value and where the bounds are.
func TestARefusedSessionTimeout(t *testing.T) {
	c, err := kfake.NewCluster(kfake.SeedTopics(1, "t")) // group.min.session.timeout.ms is 6 s
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a := join(t, c, newOwnership(t), "a", func(o *Options) { o.SessionTimeout = 3 * time.Second })
	a.await(t, "ends", func(r *recorder) bool { return r.ended != nil })
	for _, want := range []string{"SessionTimeout", "3s", "group.min.session.timeout.ms"} {
		if !strings.Contains(a.ended.Error(), want) {
			t.Errorf("%q does not name %s", a.ended, want)
		}
	}
}

// A topic that does not exist is waited for, said once, not created; when it comes, its partitions are taken.
func TestATopicThatDoesNotExist(t *testing.T) {
	c, all := broker(t, 2, "t"), newOwnership(t)
	a := join(t, c, all, "a", func(o *Options) { o.Topics = []string{"t", "later"} })
	a.await(t, "owns what there is", owns(2))
	a.await(t, "says so", func(r *recorder) bool { return len(r.notices) == 1 })
	if text := a.notices[0].Error(); !strings.Contains(text, "later") || strings.Contains(text, `"t"`) {
		t.Errorf("notice %q", text)
	}
	if c.TopicInfo("later") != nil {
		t.Error("asking for the topic has created it")
	}
	admin, err := sarama.NewClusterAdmin(c.ListenAddrs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if err := admin.CreateTopic("later", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	a.await(t, "owns the new ones, too", owns(5))
	a.await(t, "the notice is cleared", func(r *recorder) bool { return len(r.notices) == 2 && r.notices[1] == nil })
}

// A static member that is closed without a leave and comes back has its partitions again, and its neighbour notices
// nothing.
func TestStaticMembersComeBack(t *testing.T) {
	c, all := broker(t, 8, "t"), newOwnership(t)
	named := func(id string) func(*Options) { return func(o *Options) { o.InstanceID = id } }
	a, b := join(t, c, all, "a", named("a")), join(t, c, all, "b", named("b"))
	a.await(t, "owns its half", owns(4))
	b.await(t, "owns its half", owns(4))
	before := b.claims()
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	if err := b.m.Leave(ctx); err != nil { // static: it gives up what it has, and its place stays
		t.Fatal(err)
	}
	again := join(t, c, all, "b", named("b"))
	again.await(t, "has its half back", owns(4))
	if got := again.claims(); got != before {
		t.Errorf("has %s back, had %s", got, before)
	}
	if len(a.lost) > 0 || a.count() != 4 {
		t.Errorf("the neighbour lost %v and owns %d", a.lost, a.count())
	}
}

func (r *recorder) claims() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for p := range int32(16) {
		if _, ok := r.owned[tp{"t", p}]; ok {
			fmt.Fprintf(&b, "%d ", p)
		}
	}
	return b.String()
}

// Cut off without a sign, a member loses everything when its lease is over, before the group gives it to others.
func TestTheLeaseEnds(t *testing.T) {
	c, all := broker(t, 4, "t"), newOwnership(t)
	a := join(t, c, all, "a", func(o *Options) {
		o.SessionTimeout, o.RequestTimeout = time.Second, 100*time.Millisecond
	})
	a.await(t, "owns all", owns(4))
	c.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errors.New("cut"), true
	})
	began := time.Now()
	a.await(t, "loses", func(r *recorder) bool { return len(r.lost) > 0 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("lost after %v: the session of 1 s was over, and somebody else may own it", took)
	}
}

// A plan takes seconds, in a group of thousands of partitions; it has the strategies for so long, also when it was given
// up. The lease does not wait for it.
func TestALeaseEndsWhileAPlanIsComputed(t *testing.T) {
	c, all := broker(t, 4, "t"), newOwnership(t)
	a := join(t, c, all, "a", func(o *Options) {
		o.SessionTimeout, o.RebalanceTimeout, o.RequestTimeout = time.Second, 30*time.Second, 100*time.Millisecond
	})
	a.await(t, "owns all", owns(4))
	a.m.assignors.mu.Lock() // as a plan does
	defer a.m.assignors.mu.Unlock()
	a.m.Rejoin("a test wants it") // the join's metadata comes from the strategies, too
	c.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errors.New("cut"), true
	})
	began := time.Now()
	a.await(t, "loses", func(r *recorder) bool { return len(r.lost) > 0 })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("lost after %v: the session of 1 s was over", took)
	}
}
