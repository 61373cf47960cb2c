package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/test/cable"
)

// wire is the network of one member, which can be cut: nobody hangs up, and what is sent meanwhile arrives when it is
// mended, also from a connection that the member has closed: as the kernel does, which sends again for minutes what was not
// acknowledged. It hears what brokers answer to commits that arrive late.
type wire struct {
	*cable.Cable

	mu      sync.Mutex
	held    int     // commits that have come to a cut
	pending int     // commits that arrived late and are not answered
	late    []error // what brokers answered to such; nil: accepted
}

// broken says which direction of a wire is cut.
type broken struct{ requests, answers bool }

func (b broken) String() string {
	switch {
	case b.requests && b.answers:
		return "both ways"
	case b.requests:
		return "requests get lost"
	default:
		return "answers get lost"
	}
}

// newWire is whole.
func newWire(t testing.TB) *wire {
	t.Helper()
	c, err := cable.Lay()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &wire{Cable: c}
	c.Tap(func() cable.Tap {
		return &wiretap{wire: w, waiting: map[uint32][]byte{}, answered: make(chan struct{}, 1)}
	})
	return w
}

// through has a member connect through the wire.
func (w *wire) through(cfg *consumer.Config) { cfg.Sarama = cable.Through(w.Addr()) }

// cut breaks the wire.
func (w *wire) cut(b broken) { w.Cut(b.requests, b.answers) }

// cutACommit is cut with a commit on its way into it. There is one in flight at a time: if it was sent before, and its
// answer is what the cut holds back, then none is sent on that connection any more, and none arrives late.
func (w *wire) cutACommit(t testing.TB, b broken) {
	t.Helper()
	if b.requests {
		w.cut(broken{requests: true})
		eventually(t, "a commit comes to the cut", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.held > 0
		})
	}
	w.cut(b)
}

// mend makes it whole, and delivers what was sent meanwhile.
func (w *wire) mend() { w.Heal() }

func (w *wire) sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending++
}

func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending--
	w.late = append(w.late, err)
}

// wiretap listens to one connection.
type wiretap struct {
	wire     *wire
	late     bool   // the request that has begun has waited
	request  []byte // has begun
	answer   []byte // has begun
	answered chan struct{}

	mu      sync.Mutex
	waiting map[uint32][]byte // commits that were late, by their number
}

// Held implements cable.Tap.
func (c *wiretap) Held(b []byte) {
	if one, _ := frame(append(slices.Clip(c.request), b...)); one != nil && commits(one) {
		c.wire.mu.Lock()
		defer c.wire.mu.Unlock()
		c.wire.held++
	}
}

// Request implements cable.Tap. A request begins with its size, its kind, its version and its number.
func (c *wiretap) Request(b []byte, late bool) {
	c.late = c.late || late
	c.request = append(c.request, b...)
	for {
		one, rest := frame(c.request)
		if one == nil {
			return
		}
		if c.late && commits(one) {
			c.mu.Lock()
			c.waiting[binary.BigEndian.Uint32(one[8:])] = append([]byte(nil), one...)
			c.mu.Unlock()
			c.wire.sent()
		}
		c.request, c.late = rest, late && len(rest) > 0
	}
}

// Answer implements cable.Tap. An answer begins with its size and the number of its request.
func (c *wiretap) Answer(b []byte) {
	c.answer = append(c.answer, b...)
	for {
		one, rest := frame(c.answer)
		if one == nil {
			return
		}
		if len(one) >= 8 {
			number := binary.BigEndian.Uint32(one[4:])
			c.mu.Lock()
			request := c.waiting[number]
			delete(c.waiting, number)
			c.mu.Unlock()
			if request != nil {
				c.wire.note(verdict(request, one[4:]))
				c.tell()
			}
		}
		c.answer = rest
	}
}

// Over implements cable.Tap. To be hung up is to be refused, too.
func (c *wiretap) Over() {
	c.mu.Lock()
	left := len(c.waiting)
	clear(c.waiting)
	c.mu.Unlock()
	for range left {
		c.wire.note(errHungUp)
	}
	c.tell()
}

// HungUp implements cable.Tap: the broker, if it knew, would not answer.
func (c *wiretap) HungUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c.mu.Lock()
		left := len(c.waiting)
		c.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-c.answered:
		case <-ctx.Done():
			return
		}
	}
}

func (c *wiretap) tell() {
	select {
	case c.answered <- struct{}{}:
	default:
	}
}

// frame is the first one of a stream, with its size, and what follows; nil: it is not whole.
func frame(b []byte) (one, rest []byte) {
	if len(b) < 4 {
		return nil, b
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	if len(b) < n {
		return nil, b
	}
	return b[:n:n], b[n:]
}

// commits: the request is an OffsetCommit. It begins with its size, its kind and its version.
func commits(request []byte) bool {
	return len(request) >= 12 && kmsg.Key(binary.BigEndian.Uint16(request[4:])) == kmsg.OffsetCommit
}

var (
	errUnreadable = errors.New("the answer cannot be read")
	errHungUp     = errors.New("the broker hung up")
)

// verdict is what the broker made of a commit: nil when it was accepted, for any partition.
func verdict(request, body []byte) error {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = int16(binary.BigEndian.Uint16(request[6:]))
	header := 4 // the request's number; behind it, in flexible versions, the count of tags
	if resp.IsFlexible() {
		header++
	}
	if len(body) < header {
		return errUnreadable
	}
	if err := resp.ReadFrom(body[header:]); err != nil {
		return errors.Join(errUnreadable, err)
	}
	refused := errUnreadable // without a partition
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if refused = kerr.ErrorForCode(p.ErrorCode); refused == nil {
				return nil
			}
		}
	}
	return refused
}

// fenced waits for the answers to what arrived late, and fails the test unless all of the commits among it were refused,
// of which there have to be some.
func (w *wire) fenced(t testing.TB) {
	t.Helper()
	eventually(t, "commits have arrived late, and each is answered", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.late) > 0 && w.pending == 0
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.late {
		switch {
		case err == nil:
			t.Error("a commit that arrived late was accepted")
		case errors.Is(err, errUnreadable):
			t.Errorf("what became of a commit that arrived late is not known: %v", err)
		default:
			t.Logf("a commit that arrived late was refused: %v", err)
		}
	}
}
