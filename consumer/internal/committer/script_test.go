package committer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// broker is a scripted coordinator. Like a real one it compares the generation and does not ask who owns a partition.
type broker struct {
	mu         sync.Mutex
	start      time.Time
	generation int32
	places     []place // that a commit may name: sarama's request cannot be listed
	offsets    map[place]block
	commits    []commit
	fetches    []fetch
	inFlight   int
	most       int // in flight at once
	delay      time.Duration
	silent     bool                                   // answers nothing until the connection is cut
	down       error                                  // instead of any answer
	code       func(n int, at place) sarama.KError    // of commit n, from 1; nil: none
	fetchCode  func(n int, at place) sarama.KError    // of fetch n; place{} is the group's code
	before     func(n int)                            // runs when commit n arrives
	oldVersion bool                                   // refuses RequireStable as sarama does when the broker is old
	leaveOut   func(n int, at place) bool             // from the answer
	owner      func(generation int32, at place) error // asks what no broker asks
	forget     bool                                   // keeps no requests: benchmarks
}

type block struct {
	offset int64
	meta   string
}

type commit struct {
	at         time.Duration
	generation int32
	instance   string
	blocks     map[place]block
	codes      map[place]sarama.KError
}

type fetch struct {
	at     time.Duration
	asked  map[string][]int32
	stable bool
}

func newBroker(places ...place) *broker {
	return &broker{generation: 7, places: places, offsets: map[place]block{}, start: time.Now()}
}

// dial gives a connection that Kill cuts.
func (b *broker) dial(string) conn.Conn { return &link{b: b, dead: make(chan struct{})} }

type link struct {
	conn.Conn

	b    *broker
	dead chan struct{}
	once sync.Once
}

func (l *link) Kill() { l.once.Do(func() { close(l.dead) }) }

// travel is what a request does before it is looked at.
func (l *link) travel() error {
	l.b.mu.Lock()
	l.b.inFlight++
	l.b.most = max(l.b.most, l.b.inFlight)
	delay, silent, down := l.b.delay, l.b.silent, l.b.down
	l.b.mu.Unlock()
	defer func() {
		l.b.mu.Lock()
		l.b.inFlight--
		l.b.mu.Unlock()
	}()
	if down != nil || delay == 0 && !silent {
		return down
	}
	var after <-chan time.Time
	if !silent {
		after = time.After(delay)
	}
	select {
	case <-after:
		return nil
	case <-l.dead:
		return errors.New("the connection was cut")
	}
}

func (l *link) CommitOffset(q *sarama.OffsetCommitRequest) (*sarama.OffsetCommitResponse, error) {
	b := l.b
	b.mu.Lock()
	c := commit{at: time.Since(b.start), generation: q.ConsumerGroupGeneration, blocks: map[place]block{}, codes: map[place]sarama.KError{}}
	if q.GroupInstanceId != nil {
		c.instance = *q.GroupInstanceId
	}
	for _, at := range b.places {
		if offset, meta, err := q.Offset(at.topic, at.partition); err == nil {
			c.blocks[at] = block{offset, meta}
		}
	}
	if b.forget {
		b.commits = b.commits[:0]
	}
	b.commits = append(b.commits, c)
	n, before := len(b.commits), b.before
	b.mu.Unlock()
	if before != nil {
		before(n)
	}
	if err := l.travel(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	answer := &sarama.OffsetCommitResponse{Version: q.Version}
	for at, bl := range c.blocks {
		code := sarama.ErrNoError
		if b.code != nil {
			code = b.code(n, at)
		}
		if code == sarama.ErrNoError && q.ConsumerGroupGeneration != b.generation {
			code = sarama.ErrIllegalGeneration
		}
		if code == sarama.ErrNoError {
			if b.owner != nil {
				if err := b.owner(q.ConsumerGroupGeneration, at); err != nil {
					return nil, err
				}
			}
			b.offsets[at] = bl
		}
		c.codes[at] = code
		if b.leaveOut == nil || !b.leaveOut(n, at) {
			answer.AddError(at.topic, at.partition, code)
		}
	}
	return answer, nil
}

func (l *link) FetchOffset(q *sarama.OffsetFetchRequest) (*sarama.OffsetFetchResponse, error) {
	b := l.b
	b.mu.Lock()
	if b.oldVersion && q.RequireStable {
		b.mu.Unlock()
		return nil, sarama.PacketEncodingError{Info: "requireStable is not supported. use version 7 or later"}
	}
	b.fetches = append(b.fetches, fetch{time.Since(b.start), q.Groups[0].Partitions, q.RequireStable})
	n := len(b.fetches)
	b.mu.Unlock()
	if err := l.travel(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	answer := &sarama.OffsetFetchResponse{Version: 8, Groups: []sarama.OffsetFetchResponseGroup{{GroupId: "g"}}}
	code := func(at place) sarama.KError {
		if b.fetchCode == nil {
			return sarama.ErrNoError
		}
		return b.fetchCode(n, at)
	}
	if k := code(place{}); k != sarama.ErrNoError {
		answer.Groups[0].Err = k
		return answer, nil
	}
	for _, at := range b.places {
		bl, ok := b.offsets[at]
		asked := q.Groups[0].Partitions
		switch {
		case asked == nil && !ok, asked != nil && !slices.Contains(asked[at.topic], at.partition):
			continue
		case b.leaveOut != nil && b.leaveOut(n, at):
			continue
		case !ok:
			bl.offset = -1
		}
		answer.AddBlock(at.topic, at.partition, &sarama.OffsetFetchResponseBlock{Offset: bl.offset, Metadata: bl.meta, Err: code(at)})
	}
	return answer, nil
}

// set changes the script.
func (b *broker) set(f func(b *broker)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *broker) requests() []commit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.commits)
}

// peak is the most requests that were in flight at once.
func (b *broker) peak() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.most
}

// reads are the requests for committed offsets.
func (b *broker) reads() []fetch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.fetches)
}

func (b *broker) committed(at place) block {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.offsets[at]
}

// times are when the commits came.
func (b *broker) times() (all []time.Duration) {
	for _, c := range b.requests() {
		all = append(all, c.at)
	}
	return all
}

// inbox writes down what the supervisor is told.
type inbox struct {
	supervisor.Inbox

	mu     sync.Mutex
	start  time.Time
	events []event
}

type event struct {
	at        time.Duration
	claim     messages.Claim
	next      int64
	committed bool
	err       error
	final     bool
}

func (e event) String() string {
	switch {
	case e.committed:
		return fmt.Sprintf("%v committed %v %d", e.at, e.claim, e.next)
	case e.final:
		return fmt.Sprintf("%v gave up %v %d", e.at, e.claim, e.next)
	default:
		return fmt.Sprintf("%v failed %v %d", e.at, e.claim, e.next)
	}
}

func (i *inbox) Committed(claim messages.Claim, next int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events = append(i.events, event{at: time.Since(i.start), claim: claim, next: next, committed: true})
}

func (i *inbox) CommitFailed(claim messages.Claim, next int64, err error, final bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events = append(i.events, event{at: time.Since(i.start), claim: claim, next: next, err: err, final: final})
}

func (i *inbox) told() []event {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

func (i *inbox) words() string {
	var all []string
	for _, e := range i.told() {
		all = append(all, e.String())
	}
	return strings.Join(all, "\n")
}

// bench is a committer before a scripted coordinator.
type bench struct {
	*Committer

	t       testing.TB
	broker  *broker
	coord   *conn.Coordinator
	inbox   *inbox
	logs    *strings.Builder
	mu      sync.Mutex
	reports []error
	seq     uint64
}

func newBench(tb testing.TB, b *broker, change ...func(*Settings)) *bench {
	tb.Helper()
	return newStatic(tb, b, "", change...)
}

func newStatic(tb testing.TB, b *broker, instance string, change ...func(*Settings)) *bench {
	tb.Helper()
	x := &bench{t: tb, broker: b, inbox: &inbox{start: b.start}, logs: &strings.Builder{}}
	x.coord = conn.NewCoordinator(b.dial, instance)
	x.coord.OnReport(func(_ conn.Identity, err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.reports = append(x.reports, err)
	})
	x.coord.Move("broker:1")
	x.coord.Become("a", b.generation)
	s := Settings{
		Group: "g", Coordinator: x.coord, Inbox: x.inbox, Version: sarama.V3_6_0_0,
		Logger: slog.New(slog.NewTextHandler(&locked{b: x.logs}, nil)),
	}
	for _, f := range change {
		f(&s)
	}
	x.Committer = New(s)
	tb.Cleanup(x.Stop)
	return x
}

// locked is a log that several goroutines write.
type locked struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (x *bench) claim(at place) *claim {
	x.mu.Lock()
	x.seq++
	seq := x.seq
	x.mu.Unlock()
	return x.Claim(messages.Claim{Group: "g", Member: "a", Topic: at.topic, Partition: at.partition, Sequence: seq}).(*claim)
}

func (x *bench) reported() []error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.reports)
}

// rebalance makes the broker and the member move on to the next generation.
func (x *bench) rebalance() {
	x.broker.set(func(b *broker) { b.generation++ })
	x.coord.Become("a", x.broker.generation)
}

func at(next int64) actors.Progress { return actors.Progress{Next: next} }

func orders(partition int32) place { return place{"orders", partition} }

func partitions(n int32) (all []place) {
	for p := range n {
		all = append(all, orders(p))
	}
	return all
}

// answered collects what a done function is called with.
type answered struct {
	mu   sync.Mutex
	errs []error
}

func (a *answered) done(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.errs = append(a.errs, err)
}

// notBy is done, which must not be called by the function.
func (a *answered) notBy(t *testing.T, function string) func(error) {
	t.Helper()
	return func(err error) {
		if stack := string(debug.Stack()); strings.Contains(stack, function) {
			t.Errorf("called back by %s:\n%s", function, stack)
		}
		a.done(err)
	}
}

func (a *answered) all() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.errs)
}

func short(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
