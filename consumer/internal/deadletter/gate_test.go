package deadletter

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/supervisor"
)

// world is a cluster, a membership and an inbox in one.
type world struct {
	supervisor.Inbox

	mu      sync.Mutex
	down    error
	topics  map[string]error
	asked   int
	notices []error
	ended   error
	started int
	closed  int
	left    int
}

func (w *world) Topics(_ context.Context, names ...string) (*conn.Metadata, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.down != nil {
		return nil, w.down
	}
	m := &conn.Metadata{Topics: map[string]conn.Topic{}}
	for _, n := range names {
		err, known := w.topics[n]
		if !known {
			err = sarama.ErrUnknownTopicOrPartition
		}
		m.Topics[n] = conn.Topic{Err: err}
	}
	return m, nil
}

func (w *world) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) Notice(err error) { w.note(func() { w.notices = append(w.notices, err) }) }
func (w *world) Ended(err error)  { w.note(func() { w.ended = err }) }

type place struct {
	supervisor.Membership
	*world
}

func (p place) Start()                      { p.note(func() { p.started++ }) }
func (p place) Close()                      { p.note(func() { p.closed++ }) }
func (p place) Leave(context.Context) error { p.note(func() { p.left++ }); return nil }

func gate(t *testing.T, w *world, create func(context.Context, []string) error, test func(g *Gate)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		g := NewGate(place{nil, w}, Topics{Targets: []string{"a", "b"}, Cluster: w, Notice: w.Notice, Create: create}, w)
		g.Start()
		synctest.Wait()
		test(g)
		g.Close()
	})
	if w.closed != 1 {
		t.Errorf("the membership was closed %d times", w.closed)
	}
}

// pass lets virtual time pass, with everything that is due in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTheGroupIsJoinedWhenTheTopicsAreThere(t *testing.T) {
	w := &world{topics: map[string]error{"a": nil, "b": nil}, down: errors.New("no broker answers")}
	gate(t, w, nil, func(g *Gate) {
		pass(10 * time.Second)
		if w.started != 0 || w.asked < 9 || w.asked > 12 || w.ended != nil || w.notices[0] == nil {
			t.Errorf("started %d, asked %d times in 10 s, ended %v, notices %v", w.started, w.asked, w.ended, w.notices)
		}
		w.note(func() { w.down = nil })
		pass(2 * time.Second)
		if w.started != 1 || w.notices[len(w.notices)-1] != nil {
			t.Errorf("started %d, notices %v", w.started, w.notices)
		}
		if err := g.Leave(t.Context()); err != nil || w.left != 1 {
			t.Errorf("left %d, %v", w.left, err)
		}
	})
}

func TestTopicsThatAreMissingEndTheConsumer(t *testing.T) {
	for name, c := range map[string]struct {
		topics map[string]error
		want   []string
	}{
		"missing":    {map[string]error{"a": nil}, []string{"no topic b", "create it, or set Config.CreateDeadLetterTopics"}},
		"forbidden":  {map[string]error{"a": sarama.ErrTopicAuthorizationFailed, "b": nil}, []string{"topic a", "allow this user"}},
		"wrong name": {map[string]error{"a": sarama.ErrInvalidTopic, "b": nil}, []string{"topic a", "correct the name"}},
		"both":       {map[string]error{"b": sarama.ErrInvalidTopic}, []string{"topic b", "no topic a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{topics: c.topics}
			gate(t, w, nil, func(*Gate) {
				pass(time.Minute)
				if w.started != 0 || w.ended == nil || w.asked != 1 {
					t.Fatalf("started %d, asked %d times, ended %v", w.started, w.asked, w.ended)
				}
				for _, text := range c.want {
					if !strings.Contains(w.ended.Error(), text) {
						t.Errorf("%v misses %q", w.ended, text)
					}
				}
			})
		})
	}
}

func TestTopicsThatAreMissingAreCreated(t *testing.T) {
	w := &world{topics: map[string]error{"a": nil}}
	tries := 0
	create := func(_ context.Context, names []string) error {
		if len(names) != 1 || names[0] != "b" {
			t.Errorf("asked for %q", names)
		}
		if tries++; tries < 3 {
			return errors.New("not the controller")
		}
		w.note(func() { w.topics["b"] = nil })
		return nil
	}
	gate(t, w, create, func(*Gate) {
		pass(time.Minute)
		if w.started != 1 || tries != 3 || w.ended != nil {
			t.Errorf("started %d after %d tries, ended %v", w.started, tries, w.ended)
		}
	})
}

// A consumer that ends before it knows does not join afterwards: nobody would give the partitions back.
func TestAnEndBeforeTheTopicsAreKnown(t *testing.T) {
	w := &world{topics: map[string]error{"a": nil, "b": nil}, down: errors.New("no broker answers")}
	gate(t, w, nil, func(g *Gate) {
		if err := g.Leave(t.Context()); err != nil || w.left != 0 {
			t.Errorf("left %d, %v: there was nothing to leave", w.left, err)
		}
		w.note(func() { w.down = nil })
		pass(time.Minute)
		if w.started != 0 || w.ended != nil {
			t.Errorf("started %d, ended %v", w.started, w.ended)
		}
	})
}
