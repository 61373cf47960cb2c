package committer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/supervisor"
)

// register says what the metadata knows: of question n, from 1.
type register struct {
	asked  atomic.Int32
	takes  time.Duration
	answer func(n int32) (conn.Topic, error)
}

func (r *register) Topics(ctx context.Context, names ...string) (*conn.Metadata, error) {
	n := r.asked.Add(1)
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	topic, err := r.answer(n)
	return &conn.Metadata{Topics: map[string]conn.Topic{names[0]: topic}}, err
}

func unknown(int32) (conn.Topic, error) {
	return conn.Topic{Err: sarama.ErrUnknownTopicOrPartition}, nil
}

// has is a topic of so many partitions.
func has(partitions int32) func(int32) (conn.Topic, error) {
	return func(int32) (t conn.Topic, _ error) {
		for p := range partitions {
			t.Partitions = append(t.Partitions, conn.Partition{ID: p})
		}
		return t, nil
	}
}

func withRegister(r *register) func(*Settings) { return func(s *Settings) { s.Topics = r } }

func refuses(code sarama.KError) func(int, place) sarama.KError {
	return func(int, place) sarama.KError { return code }
}

// A topic was deleted a minute ago, so the pauses between two tries are long. Its claim is revoked and has a minute for its
// last commit: it is over in a second, and the reason is told.
func TestAFlushDoesNotWaitForAPartitionThatIsGone(t *testing.T) {
	for text, answer := range map[string]func(int32) (conn.Topic, error){
		"the topic is deleted":                   unknown,
		"it is made again with fewer partitions": has(1),
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(1))
				b.delay = 10 * ms
				b.code = refuses(sarama.ErrUnknownTopicOrPartition)
				x := newBench(t, b, withRegister(&register{answer: answer, takes: 10 * ms}))
				k := x.claim(orders(1))
				k.Commit(at(30), true, nil)
				time.Sleep(time.Minute)
				tried, began := len(b.requests()), time.Now()
				err := k.Flush(short(t, time.Minute))
				var gone *supervisor.GoneError
				if !errors.As(err, &gone) || gone.Topic != "orders" || gone.Partition != 1 || !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
					t.Fatalf("answered %v", err)
				}
				if d := time.Since(began); d < goneAgain || d > 2*goneAgain {
					t.Errorf("after %v", d)
				}
				if n := len(b.requests()) - tried; n != 2 {
					t.Errorf("%d tries", n)
				}
				k.Close()
				time.Sleep(time.Minute)
				told := x.inbox.told()
				if last := told[len(told)-1]; !last.final || last.next != 30 || !errors.As(last.err, &gone) {
					t.Errorf("told\n%s: %v", x.inbox.words(), last.err)
				}
				if n := len(b.requests()) - tried; n != 2 {
					t.Errorf("%d tries in the end", n)
				}
			})
		})
	}
}

// A request that was out when the flush began is refused, and right after it the one of the flush: these two are one answer.
func TestTwoRefusalsAtOnceAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(1)), withRegister(&register{answer: unknown, takes: ms}))
		k := x.claim(orders(1))
		began, ended := time.Now(), make(chan error, 1)
		go func() { ended <- k.await(t.Context(), nil, k.denied) }()
		for _, at := range []time.Duration{0, 10 * ms, 20 * ms} {
			time.Sleep(time.Until(began.Add(at)))
			k.deny(sarama.ErrUnknownTopicOrPartition)
		}
		time.Sleep(time.Until(began.Add(goneAgain)))
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("after %v: %v", time.Since(began), err)
		default:
		}
		k.deny(sarama.ErrUnknownTopicOrPartition)
		var gone *supervisor.GoneError
		if err := <-ended; !errors.As(err, &gone) {
			t.Error(err)
		}
	})
}

// One answer ends nothing: a coordinator says the same of a new topic that it has not heard of yet, and any broker whose
// metadata lags does.
func TestAFlushWaitsForAPartitionThatMayBeThere(t *testing.T) {
	for _, c := range []struct {
		text    string
		refused int // tries
		answer  func(n int32) (conn.Topic, error)
		takes   time.Duration
	}{
		{"the coordinator lags, and a broker does", 1, unknown, 0},
		{"the coordinator lags", 20, has(2), 0},
		{"brokers lag in turn", 20, func(n int32) (conn.Topic, error) {
			if n%2 == 0 {
				return has(2)(n)
			}
			return unknown(n)
		}, 0},
		{"the metadata is not authorised", 20, func(int32) (conn.Topic, error) {
			return conn.Topic{Err: sarama.ErrTopicAuthorizationFailed}, nil
		}, 0},
		{"nobody answers", 20, func(int32) (conn.Topic, error) { return conn.Topic{}, errors.New("no route") }, 0},
		{"an answer takes for ever", 4, unknown, time.Hour},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				b.code = func(n int, _ place) sarama.KError {
					if n <= c.refused {
						return sarama.ErrUnknownTopicOrPartition
					}
					return sarama.ErrNoError
				}
				x := newBench(t, b, withRegister(&register{answer: c.answer, takes: c.takes}))
				k := x.claim(orders(0))
				k.Commit(at(30), false, nil)
				if err := k.Flush(short(t, time.Minute)); err != nil {
					t.Errorf("answered %v after %v", err, time.Since(b.start))
				}
				if got := b.committed(orders(0)).offset; got != 30 {
					t.Errorf("committed %d", got)
				}
				if n := len(b.requests()); n != c.refused+1 {
					t.Errorf("%d tries", n)
				}
			})
		})
	}
}

// The coordinator never comes to know the topic, which the metadata has: the time that the flush has is all it takes.
func TestAFlushOfAPartitionThatIsThereHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = refuses(sarama.ErrUnknownTopicOrPartition)
		x := newBench(t, b, withRegister(&register{answer: has(1)}))
		k := x.claim(orders(0))
		k.Commit(at(30), false, nil)
		// Not a whole number of seconds: a try is out at each of them, and its answer, not ErrClosed, would be told if it
		// came after Close.
		const most = time.Minute + 500*ms
		if err := k.Flush(short(t, most)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answered %v", err)
		}
		if d := time.Since(b.start); d != most {
			t.Errorf("after %v", d)
		}
		if n := len(b.requests()); n < 10 || n > 70 {
			t.Errorf("%d tries in a minute", n)
		}
		k.Close()
		if told := x.inbox.told(); told[len(told)-1].err != ErrClosed {
			t.Errorf("told %v", told[len(told)-1].err)
		}
	})
}

// The claims of a deleted topic look together, and a claim of another topic is not touched.
func TestManyClaimsOfAPartitionThatIsGoneLookTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		other := place{"payments", 0}
		b := newBroker(append(partitions(many), other)...)
		b.delay = ms
		b.code = func(_ int, at place) sarama.KError {
			if at == other {
				return sarama.ErrNoError
			}
			return sarama.ErrUnknownTopicOrPartition
		}
		r := &register{answer: unknown, takes: 10 * ms}
		x := newBench(t, b, withRegister(r))
		var wg sync.WaitGroup
		for p := range int32(many) {
			k := x.claim(orders(p))
			k.Commit(at(9), false, nil)
			wg.Go(func() {
				if err := k.Flush(t.Context()); !errors.As(err, new(*supervisor.GoneError)) {
					t.Errorf("partition %d: %v", p, err)
				}
				k.Close()
			})
		}
		k := x.claim(other)
		k.Commit(at(5), true, nil)
		if err := k.Flush(t.Context()); err != nil || time.Since(b.start) > 10*ms {
			t.Errorf("the other one: %v after %v", err, time.Since(b.start))
		}
		wg.Wait()
		if n := r.asked.Load(); n > 4 {
			t.Errorf("%d questions for %d claims", n, many)
		}
	})
}

// A claim that begins at the end of a topic commits that first. It waits for a coordinator that does not know the topic,
// whatever the metadata says: the topic may be new, and nobody's time runs.
func TestAStartWaitsForATopicThatNobodyKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(int, place) sarama.KError {
			if time.Since(b.start) < 10*time.Second {
				return sarama.ErrUnknownTopicOrPartition
			}
			return sarama.ErrNoError
		}
		known := func(n int32) (conn.Topic, error) {
			if n == 1 {
				return has(1)(n)
			}
			return unknown(n)
		}
		x := newBench(t, b, withLog(&logRange{first: 3, end: 12}), withRegister(&register{answer: known}),
			func(s *Settings) { s.Start = offsets.Latest })
		start, err := x.claim(orders(0)).Start(short(t, time.Minute))
		if err != nil || start.Next != 12 || b.committed(orders(0)).offset != 12 {
			t.Errorf("began at %d, %v; committed %d", start.Next, err, b.committed(orders(0)).offset)
		}
	})
}
