package simulation

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// process is one consumer with its cable.
type process struct {
	world    *world
	name     string
	instance string // of a static member
	cable    *cable
	gate     gate
	reader   *reader
	pid      *actor.PID
	ended    chan error

	// The ledger's, under its lock.
	gone    bool // it was told to end
	over    bool // it has ended
	dead    bool // killed: nobody sees what it does any more
	rival   bool // there was another process with its instance id beside it, which has had its place, perhaps
	seen    map[int32]*seen
	breaker opening
	early   map[int32][]taken    // of claims that have not begun: their store is not to be had
	told    map[uint64]time.Time // when a claim was to be given up, in good time

	paused            map[int32]stands
	asked             map[int32]int // operators who are, for something about a head
	pausing, pausings int           // operators who are at it, and how many there have been
}

// start joins one more process.
func (w *world) start(instance string) *process {
	w.born++
	p := &process{
		world: w, name: fmt.Sprint("p", w.born), instance: instance, ended: make(chan error, 1),
		seen: map[int32]*seen{}, told: map[uint64]time.Time{}, early: map[int32][]taken{}, asked: map[int32]int{}, paused: map[int32]stands{},
	}
	p.cable = &cable{dialer: w.cluster.Dial, gate: &p.gate}
	w.ledger.note("%s starts %s", p.name, instance)
	p.pid = w.sys.Root.Spawn(supervisor.Props(supervisor.Settings{
		Group: "g", Connect: p.connect,
		Handling: supervisor.Handling{
			Handler:        p.handle,
			Hooks:          actors.Hooks{Assigned: p.assigned},
			HandlerTimeout: w.limit, StuckAfter: 15 * time.Second,
			Policy: w.table.policy(),
		},
		DeadLetters: pen{p},
		Records:     20, Bytes: 1 << 20, TotalBytes: 4 << 20, Gaps: metadata.FinishedMost, Each: w.each,
		Store: w.keeps != kafka, StoreAlone: w.keeps == alone,
		ShedAfter:    3 * time.Second, // the operator comes every 7 s
		DrainTimeout: 20 * time.Second, Reserve: w.reserve(),
		Logger: slog.New(slog.DiscardHandler),
		Event:  p.event,
		Ended:  p.end,
	}))
	return p
}

// connect is what package consumer does, over the cable and with the shelf in the place of fetches.
func (p *process) connect(inbox supervisor.Inbox) (supervisor.Link, error) {
	w := p.world
	cluster := conn.NewCluster(conn.Settings{Seeds: w.cluster.Brokers(), Dial: p.cable.dial, Version: sarama.V3_6_0_0})
	coordinator := conn.NewCoordinator(p.cable.dial, p.instance)
	p.reader = newReader(w.shelf, p.cable)
	set := committer.Settings{
		Group: "g", Coordinator: coordinator, Ranges: w.shelf, Topics: cluster, Inbox: inbox, Version: sarama.V3_6_0_0,
		AlsoToKafka: w.keeps == both,
	}
	if w.store != nil {
		set.Store = access{w.store, p}
	}
	commits := committer.New(set)
	options := member.Options{Group: "g", InstanceID: p.instance, Topics: []string{topic}, Cluster: cluster, Coordinator: coordinator}
	options.RebalanceTimeout = w.rebalance
	if w.eager {
		options.Strategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	}
	return supervisor.Link{
		Membership: member.New(options, gated{commits.Fencing(identified{inbox, p}), &p.gate}),
		Source:     p.reader, Committer: closing{commits, cluster},
	}, nil
}

// identified tells the ledger who is who.
type identified struct {
	supervisor.Inbox

	who *process
}

func (i identified) Joined(member string, generation int32) {
	i.who.world.ledger.joined(i.who, member, generation)
	i.Inbox.Joined(member, generation)
}

// Assigned: what fails from now on counts in the windows of the new claims.
func (i identified) Assigned(all []messages.Claim) {
	l := i.who.world.ledger
	l.mu.Lock()
	for _, c := range all {
		i.who.early[c.Partition] = []taken{}
	}
	l.mu.Unlock()
	i.Inbox.Assigned(all)
}

// Revoked: a supervisor that has its whole reserve left has no excuse.
func (i identified) Revoked(all []messages.Claim, deadline time.Time) {
	l := i.who.world.ledger
	l.mu.Lock()
	for _, c := range all {
		l.notef("%s is to give up %v in %v", i.who.name, c, time.Until(deadline).Round(time.Millisecond))
		l.ending[c.Sequence] = deadline
		if time.Until(deadline) >= i.who.world.reserve() {
			i.who.told[c.Sequence] = time.Now()
		} else {
			delete(i.who.told, c.Sequence)
		}
	}
	l.mu.Unlock()
	i.Inbox.Revoked(all, deadline)
}

// Lost: until somebody has a newer claim, nobody owns the partitions.
func (i identified) Lost(all []messages.Claim, err error) {
	l := i.who.world.ledger
	l.mu.Lock()
	for _, c := range all {
		l.ending[c.Sequence] = time.Now()
	}
	l.mu.Unlock()
	i.Inbox.Lost(all, err)
}

// closing closes what the three share.
type closing struct {
	supervisor.Committer

	cluster *conn.Cluster
}

func (c closing) Stop() {
	c.Committer.Stop()
	c.cluster.Close()
}

// tell sends the process a command to end.
func (p *process) tell(how any) {
	l := p.world.ledger
	l.mu.Lock()
	p.gone = true
	l.notef("%s is told to end: %T", p.name, how)
	l.mu.Unlock()
	p.world.sys.Root.Send(p.pid, how)
}

// kill ends the process as kill -9 does: what is on the wire may arrive, nothing follows, nobody sees its handlers.
func (p *process) kill() {
	l := p.world.ledger
	l.mu.Lock()
	l.notef("%s is killed", p.name)
	p.dead, p.gone = true, true
	l.mu.Unlock()
	p.cable.sever()
	p.gate.open() // for its goroutines to end
	p.world.sys.Root.Send(p.pid, &messages.Kill{})
}

func (p *process) isDead() bool {
	p.world.ledger.mu.Lock()
	defer p.world.ledger.mu.Unlock()
	return p.dead
}

// excused: what it does beside the owner is not its fault. A second process with its instance id takes its place in the
// group at once; it learns of that by its next heartbeat (KIP-345).
func (p *process) excused() bool { return p.rival || p.gate.dazed() }

// shares: both have the same place in the group, by their instance id. Whose it is, the coordinator knows: the commits of the
// other are refused. The other may be told of an old assignment when it goes on after a pause, and be taken for the owner.
func (p *process) shares(other *process) bool {
	return p != nil && other != nil && p.instance != "" && p.instance == other.instance
}

// end: it has ended, told to or not.
func (p *process) end(err error) {
	l := p.world.ledger
	l.mu.Lock()
	l.notef("%s has ended: %v", p.name, err)
	switch {
	case p.gone:
	case !p.rival || !errors.Is(err, sarama.ErrFencedInstancedId) || !strings.Contains(err.Error(), p.instance):
		l.violatef("%s has ended by itself, a second process was there %v: %v", p.name, p.rival, err)
	default:
		l.counts.fenced++
	}
	p.gone, p.over = true, true
	l.mu.Unlock()
	p.world.leaves(p)
	p.ended <- err
}

// await waits for its end.
func (p *process) await(limit time.Duration) (error, bool) { //nolint:revive // the error is a result, not a failure
	select {
	case err := <-p.ended:
		p.ended <- err
		return err, true
	case <-time.After(limit):
		return nil, false
	}
}

func (p *process) event(e messages.Event) {
	l := p.world.ledger
	if e, ok := e.(*messages.Failed); ok {
		l.judge(p, &e.Failure, e.Decision) // not at the gate: what was decided may be done already
	}
	p.gate.pass()
	switch e := e.(type) {
	case *messages.ClaimRevoked:
		l.gone(p)
		l.note("%s gives up %v after %v", p.name, e.Claim, e.Took)
	case *messages.ClaimLost:
		l.gone(p)
		l.note("%s loses %v: %v", p.name, e.Claim, e.Err)
		l.mu.Lock()
		if at, told := p.told[e.Claim.Sequence]; late(e.Err) && told && !p.gate.since(at) {
			l.violatef("%s did not release %v by its deadline", p.name, e.Claim)
		}
		l.mu.Unlock()
	case *messages.Parked:
		l.mu.Lock()
		l.notef("%s parks %s/%d@%d", p.name, topic, e.Head.Partition, e.Head.Offset)
		if e.By == "" { // else the answer tells: it may be in flight, and its success ends the park
			p.seenOf(e.Head.Partition).parked = true
		}
		l.mu.Unlock()
	case *messages.BreakerOpened:
		l.mu.Lock()
		l.notef("the breaker of %s opens for %s/%d@%d", p.name, topic, e.Head.Partition, e.Head.Offset)
		l.counts.openings++
		p.breaker.opened()
		l.mu.Unlock()
	case *messages.BreakerClosed:
		l.note("the breaker of %s is closed by %v", p.name, e.Claim)
	case *messages.Failed:
		if e.Failure.Class == messages.ClassTimeout {
			l.counted(func(c *counts) { c.timeouts++ })
		}
	case *messages.Stuck:
		l.counted(func(c *counts) { c.reports++ })
	case *messages.Abandoned:
		l.note("%s abandons %v at %d: %v", p.name, e.Claim, e.Offset, e.Cause)
	case *messages.CommitFailed:
		l.note("%s could not commit %v at %d: %v", p.name, e.Claim, e.Next, e.Err)
	}
}
