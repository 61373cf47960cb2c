package consumertest

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/wire"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Config is consumer.Config.
type Config = consumer.Config

// Position is consumer.Position.
type Position = consumer.Position

// Run runs test in a testing/synctest bubble, with a consumer of cfg on a script in the place of Kafka. cfg is what
// production uses; Brokers, Group and Topics are not needed and not used. Jitter is off, so that delays are exact. What
// PerTopic says of a topic holds for its partitions; any other can be assigned, too, if there is a Handler or an Actor for it.
//
// When test returns, blocked handlers are released and the consumer drains; if it does not end, or the supervisor broke
// the contract of a seam, or two handlers ran on one partition at a time, or a record was kept and is not completed by
// then, the test fails. A goroutine that is left makes synctest panic.
func Run(t *testing.T, cfg Config, test func(t *testing.T, k *Kit)) {
	t.Helper()
	Setup{Config: cfg}.Run(t, test)
}

// Setup is Run with more choices.
type Setup struct {
	Config Config
	// Parent makes the props of the application's own actor, which spawns the consumer from the props that it is given,
	// at the latest in its Started. Kit's methods mean that consumer. Default: none, the consumer runs by itself.
	Parent func(consumer *actor.Props) *actor.Props
	// Adjust may change the supervisor's settings after everything else, for example wrap its Connect to inject a fault
	// of a seam. Default: none.
	Adjust func(*supervisor.Settings)
}

// Run is the function Run.
func (s Setup) Run(t *testing.T, test func(t *testing.T, k *Kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := s.start(t)
		defer k.finish()
		test(t, k)
	})
}

func (s Setup) start(t *testing.T) *Kit {
	t.Helper()
	k := &Kit{
		t: t, began: time.Now(), logs: &logbook{}, story: &story{}, change: make(chan struct{}),
		logsOf: map[place]*partitionLog{},
	}
	cfg := s.Config
	cfg.Logger = slog.New(k.logs.handler(cfg.Logger))
	set, err := wire.Settings(cfg, true)
	if err != nil {
		t.Fatalf("the Config is not valid:\n%v", err)
	}
	k.cfg = cfg.WithDefaults()
	set.Random = nil
	set.Connect = k.connect
	set.Ended = k.hasEnded
	set.Embedded = s.Parent != nil
	k.observe(&set)
	if s.Adjust != nil {
		s.Adjust(&set)
	}
	k.set = set
	k.sys = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler) // it says at Info what the supervisor has said already
	}))
	k.reader = k.sys.Root.Spawn(actor.PropsFromFunc(k.read))
	props := supervisor.Props(set).Configure(actor.WithOnInit(k.spawned))
	if s.Parent != nil {
		props = s.Parent(props)
	}
	k.root = k.sys.Root.Spawn(props)
	k.gone = k.watch(k.root)
	synctest.Wait()
	return k
}

// connect gives one incarnation of the supervisor its seams.
func (k *Kit) connect(inbox supervisor.Inbox) (supervisor.Link, error) {
	l := &link{membership: newMembership(k, inbox), source: newSource(k), committer: &committer{k: k, inbox: inbox}}
	k.mu.Lock()
	k.link = l
	pid := k.pid
	k.mu.Unlock()
	k.sys.Root.RequestWithCustomSender(pid, &messages.Subscribe{}, k.reader) // before anything is assigned
	return supervisor.Link{Membership: l.membership, Source: l.source, Committer: l.committer}, nil
}

// link is what one incarnation of the supervisor was given.
type link struct {
	membership *membership
	source     *source
	committer  *committer
}

// spawned learns the consumer's PID; its mailbox takes no messages yet.
func (k *Kit) spawned(ctx actor.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pid = ctx.Self()
}

// read is the actor that gathers events.
func (k *Kit) read(ctx actor.Context) {
	if e, ok := ctx.Message().(messages.Event); ok {
		k.story.addf("%s", describeEvent(e))
		k.mu.Lock()
		k.events = append(k.events, e)
		k.mu.Unlock()
	}
}

// watch is closed when the actor has ended. It must be asked before anybody stops it.
func (k *Kit) watch(pid *actor.PID) <-chan struct{} {
	gone := make(chan struct{})
	var once sync.Once
	k.sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(pid)
		case *actor.Terminated:
			once.Do(func() { close(gone) })
			ctx.Stop(ctx.Self())
		}
	}))
	return gone
}

// finish ends everything, and says what was wrong.
func (k *Kit) finish() {
	k.t.Helper()
	k.releaseAll()
	open := k.keptNow()
	k.sys.Root.Poison(k.root)
	if !k.within(k.gone, k.patience()) {
		k.t.Errorf("the consumer did not drain and end within %v:\n%v", k.patience(), k.describe())
		k.Tell(&messages.Kill{})
		if !k.within(k.gone, time.Minute) {
			k.t.Errorf("the consumer did not end after a kill either:\n%v", k.describe())
		}
	}
	for range 60 { // handlers that were left behind
		if !k.busy() {
			break
		}
		time.Sleep(time.Minute)
	}
	k.sys.Root.Stop(k.reader)
	k.sys.Shutdown()
	time.Sleep(2 * time.Second) // protoactor's dead letters start a goroutine that sleeps for a second
	synctest.Wait()
	k.checkOverlaps()
	k.checkKept(open)
	if k.t.Failed() {
		k.t.Log("what happened, in virtual time:\n" + k.Story())
	}
}

// busy says whether a handler has not returned.
func (k *Kit) busy() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.partitions, func(p *Partition) bool { return p.running > 0 })
}

// patience is longer than a drain may take.
func (k *Kit) patience() time.Duration {
	return k.set.DrainTimeout + 2*k.set.Reserve + time.Minute
}

// within waits for c in virtual time.
func (k *Kit) within(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		synctest.Wait()
		return true
	case <-timer.C:
		return false
	}
}
