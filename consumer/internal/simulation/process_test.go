package simulation

import (
	"fmt"
	"log/slog"

	"time"

	"github.com/IBM/sarama"
	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// process is one consumer with its cable.
type process struct {
	world *world
	name  string
	cable *cable
	pid   *actor.PID
	ended chan error
	gone  bool // it was told to end; the schedule's

	// The ledger's, under its lock.
	dead bool // killed: nobody sees what it does any more
	last map[int32]int64

	excused map[uint64]bool // claims whose deadline was too near
}

// start joins one more process.
func (w *world) start() *process {
	w.born++
	p := &process{world: w, name: fmt.Sprint("p", w.born), ended: make(chan error, 1), last: map[int32]int64{}, excused: map[uint64]bool{}}
	p.cable = &cable{dialer: w.cluster.Dial}
	w.ledger.note("%s starts", p.name)
	p.pid = w.sys.Root.Spawn(supervisor.Props(supervisor.Settings{
		Group: "g", Connect: p.connect,
		Handler: p.handle,
		Hooks:   actors.Hooks{Assigned: p.assigned},
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(50*time.Millisecond))),
			supervisor.On(supervisor.Is(errHopeless), supervisor.Skip()),
			supervisor.On(supervisor.Is(errSomebody), supervisor.Park("somebody has to look at it")),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Backoff{Base: 20 * time.Millisecond, Factor: 2, Max: time.Second})),
		},
		Records: 20, Bytes: 1 << 20, TotalBytes: 4 << 20, Each: w.each,
		DrainTimeout: 20 * time.Second, Reserve: w.reserve(),
		Logger: slog.New(slog.DiscardHandler),
		Event:  p.event,
		Ended:  func(err error) { p.ended <- err },
	}))
	return p
}

// connect is what package consumer does, over the cable and with the shelf in the place of fetches.
func (p *process) connect(inbox supervisor.Inbox) (supervisor.Link, error) {
	w := p.world
	cluster := conn.NewCluster(conn.Settings{Seeds: w.cluster.Brokers(), Dial: p.cable.dial, Version: sarama.V3_6_0_0})
	coordinator := conn.NewCoordinator(p.cable.dial, "")
	records := newReader(w.shelf, p.cable)
	commits := committer.New(committer.Settings{
		Group: "g", Coordinator: coordinator, Ranges: w.shelf, Topics: cluster, Inbox: inbox, Version: sarama.V3_6_0_0,
	})
	options := member.Options{Group: "g", Topics: []string{topic}, Cluster: cluster, Coordinator: coordinator}
	options.RebalanceTimeout = w.rebalance
	if w.eager {
		options.Strategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	}
	return supervisor.Link{Membership: member.New(options, commits.Fencing(identified{inbox, p})), Source: records, Committer: closing{commits, cluster}}, nil
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

// Revoked: a supervisor that has its whole reserve left has no excuse.
func (i identified) Revoked(all []messages.Claim, deadline time.Time) {
	l := i.who.world.ledger
	l.mu.Lock()
	for _, c := range all {
		l.notef("%s is to give up %v in %v", i.who.name, c, time.Until(deadline).Round(time.Millisecond))
		i.who.excused[c.Sequence] = time.Until(deadline) < i.who.world.reserve()
	}
	l.mu.Unlock()
	i.Inbox.Revoked(all, deadline)
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
	p.gone = true
	p.world.ledger.note("%s is told to end: %T", p.name, how)
	p.world.sys.Root.Send(p.pid, how)
}

// kill ends the process as kill -9 does: what is on the wire may arrive, nothing follows, nobody sees its handlers.
func (p *process) kill() {
	p.gone = true
	l := p.world.ledger
	l.mu.Lock()
	l.notef("%s is killed", p.name)
	p.dead = true
	l.mu.Unlock()
	p.cable.sever()
	p.world.sys.Root.Send(p.pid, &messages.Kill{})
}

// over waits for its end.
func (p *process) over(limit time.Duration) (error, bool) { //nolint:revive // the error is a result, not a failure
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
	switch e := e.(type) {
	case *messages.ClaimRevoked:
		l.note("%s gives up %v after %v", p.name, e.Claim, e.Took)
	case *messages.ClaimLost:
		l.note("%s loses %v: %v", p.name, e.Claim, e.Err)
		if l.mu.Lock(); late(e.Err) && !p.excused[e.Claim.Sequence] {
			l.violatef("%s did not release %v by its deadline", p.name, e.Claim)
		}
		l.mu.Unlock()
	case *messages.Abandoned:
		l.note("%s abandons %v at %d: %v", p.name, e.Claim, e.Offset, e.Cause)
	case *messages.CommitFailed:
		l.note("%s could not commit %v at %d: %v", p.name, e.Claim, e.Next, e.Err)
	}
}
