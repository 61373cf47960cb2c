package member

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// scripted starts a member of a scripted cluster, with the product's timeouts.
func scripted(t *testing.T, c *membertest.Cluster, all *ownership, name string, change ...func(*Options)) *recorder {
	t.Helper()
	return scriptedBehind(t, c, all, name, func(_ *conn.Coordinator, r supervisor.Inbox) supervisor.Inbox { return r }, change...)
}

// scriptedBehind starts one whose recorder is behind another inbox.
func scriptedBehind(t *testing.T, c *membertest.Cluster, all *ownership, name string, front func(*conn.Coordinator, supervisor.Inbox) supervisor.Inbox, change ...func(*Options)) *recorder {
	t.Helper()
	cluster := conn.NewCluster(conn.Settings{Seeds: c.Brokers(), Dial: c.Dial, Version: sarama.V3_6_0_0})
	r := &recorder{name: name, all: all, wait: 5 * time.Minute, hold: 7 * time.Millisecond, owned: map[tp]messages.Claim{}, changed: make(chan struct{})}
	o := Options{Group: "g", Topics: []string{"t"}, Cluster: cluster, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	if o.Coordinator == nil {
		o.Coordinator = conn.NewCoordinator(c.Dial, o.InstanceID)
	}
	r.m = New(o, front(o.Coordinator, r))
	t.Cleanup(func() {
		r.m.Close()
		cluster.Close()
	})
	r.m.Start()
	return r
}

func (r *recorder) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := r.m.Leave(ctx); err != nil {
		t.Errorf("%s: leave: %v", r.name, err)
	}
}

func (r *recorder) losses() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lost)
}

// said are the notices by now.
func (r *recorder) said() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
}

func (r *recorder) joined() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joins
}

func (r *recorder) revocations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revoked
}

// settled waits until every partition has an owner, and answers how long that took.
func settled(t *testing.T, c *membertest.Cluster, all *ownership, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for all.count() != c.Topic("t") {
		if time.Since(began) > limit {
			t.Fatalf("after %v %d of %d partitions have an owner: %v; %v", limit, all.count(), c.Topic("t"), all.owner, c)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

func (o *ownership) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owner)
}

var days = flag.Int64("days", 1, "how many different days the group's random test lives through")

// A day in the life of a group: members come and go, partitions are added, the coordinator moves, is silent, dies,
// answers with errors, and loses answers. No partition ever has two owners, and all have one soon after.
func TestADayOfDisturbances(t *testing.T) {
	for kind, hours := range map[string]int{"cooperative": 24, "eager": 6, "static": 6} {
		for seed := range *days {
			t.Run(fmt.Sprint(kind, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := day{t: t, r: rand.New(rand.NewSource(seed)), kind: kind, c: membertest.New(map[string]int{"t": 12}), all: newOwnership(t)}
					d.live(time.Duration(hours/slower) * time.Hour)
				})
			})
		}
	}
}

type day struct {
	t     *testing.T
	r     *rand.Rand
	kind  string
	c     *membertest.Cluster
	all   *ownership
	there []*recorder
	next  int
	worst time.Duration
	steps int
}

func (d *day) live(long time.Duration) {
	end := time.Now().Add(long)
	for range 3 {
		d.join()
	}
	for time.Now().Before(end) {
		time.Sleep(time.Duration(20+d.r.Intn(300)) * time.Second)
		d.disturb()
		d.steps++
		d.worst = max(d.worst, settled(d.t, d.c, d.all, 6*time.Minute))
	}
	for _, m := range d.there {
		m.leave(d.t)
	}
	d.t.Logf("%d disturbances, %d joins, %d generations; longest until all were owned %v; %d heartbeats",
		d.steps, d.c.Requests(membertest.Join), d.c.Generation(), d.worst, d.c.Requests(membertest.Heartbeat))
}

func (d *day) join() {
	d.next++
	name := fmt.Sprint("m", d.next)
	m := scripted(d.t, d.c, d.all, name, func(o *Options) {
		if d.kind == "eager" {
			o.Strategies = eager()
		}
		if d.kind == "static" && d.next%2 == 0 {
			o.InstanceID, o.LeaveStatic = name, d.next%4 == 0
		}
	})
	m.note(func() { m.hold = time.Duration(d.r.Intn(300)) * time.Millisecond })
	d.there = append(d.there, m)
}

func (d *day) leave() {
	i := d.r.Intn(len(d.there))
	m := d.there[i]
	d.there = slices.Delete(d.there, i, i+1)
	if d.r.Intn(4) > 0 {
		m.leave(d.t)
		return
	}
	m.m.Close() // as a crash would; the group misses it after its session
	m.vanish()
}

// vanish is the end of a process: nobody owns what it owned.
func (r *recorder) vanish() {
	r.note(func() {
		for p := range r.owned {
			r.all.drop(r.name, p)
		}
		clear(r.owned)
	})
}

func (d *day) disturb() {
	c, r := d.c, d.r
	pause := func(most int) { time.Sleep(time.Duration(r.Intn(most)) * time.Millisecond) }
	switch r.Intn(8) {
	case 0:
		if len(d.there) < 6 {
			d.join()
		}
	case 1:
		if len(d.there) > 1 {
			d.leave()
		}
	case 2:
		c.SetTopic("t", 10+r.Intn(5))
	case 3: // everybody is silent, sometimes for longer than a session
		c.Silence("", true)
		pause(70_000)
		c.Silence("", false)
	case 4: // the coordinator dies, silently or not, and is replaced
		dead := c.Coordinator()
		if r.Intn(2) == 0 {
			c.Silence(dead, true)
		} else {
			c.Refuse(dead, true)
		}
		pause(15_000)
		c.Move()
		pause(60_000)
		c.Silence(dead, false)
		c.Refuse(dead, false)
	case 5:
		for range 1 + r.Intn(4) {
			c.Move()
			pause(500)
		}
	case 6:
		apis := []membertest.API{membertest.Join, membertest.Sync, membertest.Heartbeat, membertest.Find, membertest.Metadata}
		c.Lose(apis[r.Intn(len(apis))])
		d.join()
		d.leave()
	case 7:
		codes := []sarama.KError{
			sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress,
			sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrRebalanceInProgress,
		}
		apis := []membertest.API{membertest.Join, membertest.Sync, membertest.Heartbeat}
		c.Fail(apis[r.Intn(len(apis))], codes[r.Intn(len(codes))])
		d.join()
		pause(3000)
		d.leave()
	}
}
