package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// claim is one ownership of one partition, from Assigned until its commits are closed.
type claim struct {
	messages.Claim

	how     *Handling // of its topic
	mailbox *actors.Mailbox
	commits Commits
	pid     *actor.PID
	alive   bool // the actor has not terminated
	spawns  int
	opened  bool // the source is open

	asking   *inquiry // about where the claim stands
	known    bool     // the newest look-up has succeeded
	skipping bool     // the offset store is being moved past the head
	unpark   bool     // an operator has said so; to be done as soon as the position is known

	tally      Tally // of the record at tallyOf
	tallyOf    int64
	first      time.Time
	faults     Tally // of what is no record's
	faultSince time.Time

	pending  []*pending     // failures that a plain strategy has not decided yet; see undecided
	start    repair         // of the start: look it up again
	actor    repair         // of the actor: resume, restart or spawn it
	timer    *time.Timer    // of the claim's end
	fences   int            // how often in a row the store said fenced
	fencedAt int64          // at which offset
	handled  int64          // how many records were, at the last fault that was no record's
	blocked  *blockedSource // parked without a head

	over context.Context //nolint:containedctx // ends with the claim: no call of the store outlasts it
	end  context.CancelFunc

	leaving   bool
	lost      bool
	cause     error // what contexts end with
	lostBy    error // why it was lost
	reason    messages.Reason
	deadline  time.Time
	leftAt    time.Time
	flushing  bool
	endFlush  func() // nobody waits for the flush any longer
	gone      bool   // nothing more is to be done for it
	overdue   bool   // contexts have ended, and the grace runs
	abandoned bool

	stuckTold stuckReports

	committed   int64
	committedAt time.Time
	counted     messages.Counters // commits
}

func (c *claim) log() slog.Attr {
	return slog.Group("claim", slog.String("topic", c.Topic), slog.Int("partition", int(c.Partition)),
		slog.Uint64("sequence", c.Sequence))
}

func (s *supervisor) assigned(claims []messages.Claim) {
	if s.phase != running {
		return // Leave tells Revoked for them
	}
	for _, mc := range claims {
		id := idOf(mc)
		if old := s.current[id]; old != nil {
			s.waiting[id] = mc
			s.log.Info("assigned again while the old claim ends", slog.String("claim", mc.String()))
			continue
		}
		s.begin(mc)
	}
}

// begin spawns the claim's actor, whose mailbox accepts records at once, and looks up where it starts.
func (s *supervisor) begin(mc messages.Claim) {
	c := &claim{Claim: mc, how: s.set.For(mc.Topic), tallyOf: -1, fencedAt: -1, committed: -1}
	c.faults = c.tally.Renew() // one partition: what Within counts is counted together
	c.over, c.end = context.WithCancel(context.Background())
	c.commits = s.link.Committer.Claim(mc)
	source, in := s.link.Source, s.in
	set := actors.Settings{
		Claim: mc, Context: context.Background(),
		Handler: c.how.Handler, Producer: c.how.Producer, Hooks: c.how.Hooks,
		HandlerTimeout: c.how.HandlerTimeout, StuckAfter: c.how.StuckAfter, Rate: c.how.Rate,
		Records: s.set.Records, Bytes: s.set.Bytes, Budget: s.budget, Breaker: s.breaker, Each: s.set.Each,
		ShedAfter: s.set.ShedAfter, Gaps: s.set.Gaps,
		Wake: func() {
			defer in.caught()
			source.Wake(mc)
		},
		Tell: func(r actors.Report) { in.post(func() { s.reported(c, r) }) },
	}
	if !s.set.StoreAlone {
		set.Commit = func(p actors.Progress, urgent bool, done func(error)) {
			defer in.caught()
			c.commits.Commit(p, urgent, done)
		}
	}
	set.Reopen = func(offset int64, seek uint64) {
		defer in.caught()
		source.Seek(mc, offset, seek)
	}
	if s.set.Store {
		set.Seek = set.Reopen
	}
	c.mailbox = actors.NewMailbox(set)
	s.pausedFrom(c)
	s.claims[mc.Sequence] = c
	s.current[idOf(mc)] = c
	s.watchStuck()
	s.spawn(c)
	s.lookUp(c)
}

// spawn makes the claim's actor; again, on the same mailbox, after it has stopped itself.
func (s *supervisor) spawn(c *claim) {
	c.spawns++
	name := fmt.Sprintf("%s-%d-%d", c.Topic, c.Partition, c.Sequence)
	if c.spawns > 1 {
		name = fmt.Sprintf("%s-%d", name, c.spawns)
	}
	pid, err := s.ctx.SpawnNamed(actors.Props(c.mailbox), name)
	if err != nil { // the name is unique in the process
		panic(fmt.Errorf("spawn %s: %w", name, err)) //nolint:forbidigo // caught in Receive, which drains the consumer
	}
	c.pid, c.alive = pid, true
	s.byPID[pid.Id] = c
}

func (s *supervisor) terminated(who *actor.PID) {
	if who.Address != s.self.Address { // names are unique in a process only
		delete(s.subscribers, who.String())
		return
	}
	c := s.byPID[who.Id]
	if c == nil {
		delete(s.subscribers, who.String())
		s.stop.returned(who.Id)
		return
	}
	delete(s.byPID, who.Id)
	c.alive = false
	if c.leaving {
		s.flush(c)
		return
	}
	s.claimFault(c, s.faultOf(c, messages.ClassActorStopped, errActorStopped), &c.actor, func() { s.respawn(c) })
}

// missed is for a Terminated in whose way something has failed: if it was not dealt with, a claim would wait for an actor that
// is gone.
func (s *supervisor) missed(who *actor.PID) {
	if s.byPID[who.Id] != nil {
		s.terminated(who)
	}
}

// respawn makes another actor, to which the head is delivered again: not while the head is being given up. Say the store is to
// be moved past 7: a fresh actor would handle 7, 8 and 9 meanwhile, and a slow move to 8 would then take the store back.
func (s *supervisor) respawn(c *claim) {
	s.whenDecided(c, func() { s.spawn(c) })
}

var errActorStopped = errors.New("the partition actor was stopped from outside, or stopped itself")
