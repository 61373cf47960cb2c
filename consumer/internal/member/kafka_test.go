package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/security"
	"github.com/ottla-go/ottla/messages"
)

// What each error means as the answer to a join and to a sync, in a group that is stable otherwise.
func TestErrorsOfJoinsAndSyncs(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup} {
		for _, x := range []struct {
			code  sarama.KError
			lost  bool
			ended bool
		}{
			{sarama.ErrNotCoordinatorForConsumer, false, false},
			{sarama.ErrConsumerCoordinatorNotAvailable, false, false},
			{sarama.ErrOffsetsLoadInProgress, false, false},
			{sarama.ErrRebalanceInProgress, false, false},
			{sarama.ErrUnknownMemberId, true, false},
			{sarama.ErrIllegalGeneration, true, false},
			{sarama.ErrInconsistentGroupProtocol, true, true},
		} {
			t.Run(fmt.Sprint(key.Name(), " ", int16(x.code)), func(t *testing.T) {
				c, all := broker(t, 4, "t"), newOwnership(t)
				a := join(t, c, all, "a", func(o *Options) { // the group misses the member that we forget for a session
					o.SessionTimeout, o.RebalanceTimeout = time.Second, time.Second
				})
				a.await(t, "owns all", owns(4))
				hit := make(chan struct{})
				c.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
					defer close(hit)
					res := req.ResponseKind()
					switch res := res.(type) {
					case *kmsg.JoinGroupResponse:
						res.ErrorCode = int16(x.code)
					case *kmsg.SyncGroupResponse:
						res.ErrorCode = int16(x.code)
					}
					return res, nil, true
				})
				before := a.joined()
				a.m.Rejoin("a test wants it")
				<-hit
				switch {
				case x.ended:
					a.await(t, "ends", func(r *recorder) bool { return errors.Is(r.ended, x.code) && len(r.owned) == 0 })
					return
				case x.lost:
					a.await(t, "loses", func(r *recorder) bool { return len(r.lost) == 1 })
				}
				a.await(t, "has joined again", func(r *recorder) bool { return r.joins > before })
				goesOn(t, c)
				a.await(t, "owns all", owns(4))
				if !x.lost && a.losses() > 0 {
					t.Errorf("lost %v", a.lost)
				}
			})
		}
	}
}

// A wrong password: said at once, with what to do, and tried on; when it is right, the member joins and the notice
// is cleared.
func TestAWrongPassword(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"), kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ottla", "letters"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	dialer := func(password string) *conn.Dialer {
		cfg := sarama.NewConfig()
		cfg.Version = sarama.V3_6_0_0
		if err := security.Apply(cfg, security.TLS{}, security.SASL{Mechanism: security.ScramSHA256, User: "ottla", Password: password}); err != nil {
			t.Fatal(err)
		}
		d, err := conn.NewDialer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	wrong, right := dialer("numbers"), dialer("letters")
	corrected := make(chan struct{})
	dial := func(addr string) conn.Conn {
		select {
		case <-corrected:
			return right.Dial(addr)
		default:
			return wrong.Dial(addr)
		}
	}
	a := join(t, c, newOwnership(t), "a", func(o *Options) {
		o.Cluster = conn.NewCluster(conn.Settings{Seeds: c.ListenAddrs(), Dial: dial, Version: sarama.V3_6_0_0})
		t.Cleanup(o.Cluster.Close)
		o.Coordinator = conn.NewCoordinator(dial, "")
	})
	a.await(t, "is told", func(r *recorder) bool { return len(r.notices) == 1 })
	if text := a.notices[0].Error(); !strings.Contains(text, "password") || !strings.Contains(text, "SASL") {
		t.Errorf("%q", text)
	}
	close(corrected)
	a.await(t, "owns all", owns(2))
	a.await(t, "the notice is cleared", func(r *recorder) bool { return len(r.notices) == 2 && r.notices[1] == nil })
}

// Six members later there is no goroutine more: neither of ours nor of sarama's.
func TestNoGoroutineIsLeft(t *testing.T) {
	c, all := broker(t, 4, "t"), newOwnership(t)
	for i := range 6 {
		a := begin(t, c, all, fmt.Sprint("a", i))
		a.await(t, "owns all", owns(4))
		if i%2 == 0 {
			a.leave(t)
		}
		a.end()
		a.vanish()
	}
	for limit := time.Now().Add(longEnough); ; {
		left := ours()
		if left == "" {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("still there:\n%s", left)
		}
		runtime.Gosched()
	}
}

// ending is a member whose end is the test's to choose.
type ending struct {
	*recorder

	end func()
}

func begin(t *testing.T, c *kfake.Cluster, all *ownership, name string) ending {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	dialer, err := conn.NewDialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cluster := conn.NewCluster(conn.Settings{Seeds: c.ListenAddrs(), Dial: dialer.Dial, Version: cfg.Version})
	r := &recorder{name: name, all: all, wait: longEnough, owned: map[tp]messages.Claim{}, changed: make(chan struct{})}
	r.m = New(Options{
		Group: "g", Topics: []string{"t"}, SessionTimeout: time.Second, RebalanceTimeout: time.Second, HeartbeatInterval: 50 * time.Millisecond,
		Cluster: cluster, Coordinator: conn.NewCoordinator(dialer.Dial, ""),
	}, r)
	r.m.Start()
	return ending{r, func() {
		r.m.Close()
		cluster.Close()
		dialer.Close()
	}}
}

// ours are the stacks of goroutines in our packages and in sarama's connections; those of the test itself, and of the
// meters that all of sarama shares, do not count.
func ours() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for g := range bytes.SplitSeq(buf, []byte("\n\n")) {
		s := string(g)
		if (strings.Contains(s, "internal/member.(") || strings.Contains(s, "internal/conn.") || strings.Contains(s, "sarama.(*Broker)")) && !strings.Contains(s, "testing.tRunner") {
			left = append(left, s)
		}
	}
	return strings.Join(left, "\n\n")
}

// The end of a context that has no deadline of its own does not leave the member hanging.
func TestALeaveThatIsCancelled(t *testing.T) {
	c, all := broker(t, 4, "t"), newOwnership(t)
	a := join(t, c, all, "a")
	a.await(t, "owns all", owns(4))
	a.note(func() { a.hold = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() { got <- a.m.Leave(ctx) }()
	a.await(t, "is told to give up", func(r *recorder) bool { return r.revoked == 1 })
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
