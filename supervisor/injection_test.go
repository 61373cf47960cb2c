package supervisor_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var (
	errSkip   = errors.New("to be skipped")
	errLetter = errors.New("to be dead-lettered")
	errPark   = errors.New("to be parked")
)

// directives is a policy with one record for each.
var directives = supervisor.Policy{
	supervisor.On(supervisor.Is(errSkip), supervisor.Skip()),
	supervisor.On(supervisor.Is(errLetter), supervisor.DeadLetter("orders.dlt")),
	supervisor.On(supervisor.Is(errAway), supervisor.Break(every(time.Second))),
	supervisor.On(supervisor.Is(errPark), supervisor.Park("look")),
	supervisor.On(supervisor.Any(), supervisor.Retry(every(time.Second))),
}

// injection is one run: a consumer under an application's actor, which restarts it when it fails; an offset store, and commits
// to Kafka beside it; partitions that go and come, with records for each directive, operators' commands, and faults of every
// other kind.
type injection struct {
	*trap
	t        *testing.T
	k        *kit
	cfg      config
	silent   bool // nobody need be told
	perTopic bool // handling is that of a topic
	cut      bool // the end is a poison pill, which is cut short
	store    consumertest.Store
	boss     *boss
	adapt    func(*supervisor.Settings) // puts the points there; nil: none
	wrap     func(*actor.Props)
	err      func(error) error // makes an error of one; nil: it is that

	mu       sync.Mutex
	healed   bool // from now on everything succeeds
	done     map[string]bool
	givenUp  map[string]bool // may be
	produced map[int32]int64
	offsets  map[string]int64 // of words
	claimed  map[uint64]*partition
	lostIn   int // incarnations that had ended when a claim was lost
	problems []string
}

func at(partition int32, offset int64) string { return fmt.Sprintf("orders/%d@%d", partition, offset) }

// behind: no record below the offset is lost.
func (in *injection) behind(who string, partition int32, offset int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for o := range offset {
		if !in.done[at(partition, o)] && !in.givenUp[at(partition, o)] {
			in.problems = append(in.problems, fmt.Sprintf("%s is at %s, and %s is not finished", who, at(partition, offset), at(partition, o)))
		}
	}
}

// handle is what the partitions' actors do with a record.
func (in *injection) handle(r *messages.Record) error {
	in.mu.Lock()
	healed := in.healed
	in.mu.Unlock()
	first := r.Attempt == 0 && !healed
	switch word := string(r.Value); {
	case word == "skip":
		return errSkip
	case word == "letter":
		return errLetter
	case word == "break" && first:
		return errAway
	case word == "park" && first, strings.HasPrefix(word, "operator") && !healed:
		return errPark
	case word == "fail" && first:
		return errBoom
	case word == "panic" && first:
		panic("of the handler's own")
	case word == "slow":
		time.Sleep(2 * time.Second) // in the bubble
	}
	if err := in.store.Save(r); err != nil {
		return err
	}
	in.behind("the actor", r.Partition, r.Offset)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.done[at(r.Partition, r.Offset)] = true
	return nil
}

// worker is the actor of a partition. Its child fails when told so, which it escalates.
type worker struct {
	in    *injection
	child *actor.PID
}

func (w *worker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		w.child = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "panic" {
				panic("of a child")
			}
		}))
	case *messages.Record:
		err := w.in.handle(m)
		if err != nil && w.in.err != nil {
			err = w.in.err(err)
		}
		m.Complete(err)
	case string:
		switch m {
		case "child":
			ctx.Send(w.child, "panic")
		case "panic":
			panic("of the actor")
		case "stop":
			ctx.Stop(ctx.Self())
		}
	}
}

// HandleFailure implements actor.SupervisorStrategy.
func (w *worker) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	s.EscalateFailure(reason, message)
}

// produce writes records; those that may be given up are noted.
func (in *injection) produce(partition int32, words ...string) {
	in.mu.Lock()
	for _, word := range words {
		switch word {
		case "skip", "letter", "operator skips", "operator dead-letters", "corrupt":
			in.givenUp[at(partition, in.produced[partition])] = true
		}
		in.offsets[word] = in.produced[partition]
		in.produced[partition]++
	}
	in.mu.Unlock()
	in.k.Produce("orders", partition, words...)
}

// assign gives the consumer a partition, when it is a member.
func (in *injection) assign(partition int32) *partition {
	for range 100 {
		if in.joined() {
			p := in.k.Assign("orders", partition)
			in.claimed[p.Claim().Sequence] = p
			return p
		}
		in.k.Advance(10 * time.Second)
	}
	in.t.Fatalf("there is no member within %v; it is %s", in.k.Now(), in.k.Status().Phase)
	return nil
}

// joined says whether something can be assigned. After a loss the kit joins with that.
func (in *injection) joined() bool {
	struck := in.hasStruck()
	phase := in.k.Status().Phase
	if struck != in.hasStruck() { // behind that answer
		phase = in.k.Status().Phase
	}
	return phase == "member" || phase == "joining" && in.k.Ends() == in.lostIn
}

// run is the whole of it.
func (in *injection) run(t *testing.T) {
	cfg := in.cfg
	in.t, in.done, in.givenUp, in.produced = t, map[string]bool{}, map[string]bool{}, map[int32]int64{}
	in.claimed, in.lostIn, in.offsets = map[uint64]*partition{}, -1, map[string]int64{}
	in.boss = &boss{decide: func(int, error) actor.Directive { return actor.RestartDirective }}
	for n := range int32(3) {
		in.store.Set("orders", n, 0)
	}
	if cfg.Handler == nil && cfg.Actor == nil {
		cfg.Actor = func() actor.Actor { return &worker{in: in} }
	}
	if cfg.Offsets.Store == nil {
		cfg.Offsets.Store = &in.store
	}
	cfg.Offsets.Start, cfg.Offsets.AlsoToKafka = earliest, true
	if cfg.Policy == nil && cfg.Strategy == nil {
		cfg.Policy = directives
	}
	cfg.DrainTimeout, cfg.StuckAfter = 10*time.Second, time.Second
	if in.perTopic {
		cfg.PerTopic = map[string]consumer.Topic{"orders": {Handler: cfg.Handler, Actor: cfg.Actor, Hooks: cfg.Hooks, Policy: cfg.Policy}}
		cfg.Handler, cfg.Actor, cfg.Hooks, cfg.Policy = nil, nil, consumer.Hooks{}, nil
	}
	setup := consumertest.Setup{Config: cfg, Adjust: in.adjust, Parent: func(props *actor.Props) *actor.Props {
		if in.wrap != nil {
			in.wrap(props)
		}
		return actor.PropsFromProducer(func() actor.Actor { return &shop{in.boss, props} }, actor.WithSupervisor(in.boss))
	}}
	setup.Run(t, func(t *testing.T, k *kit) {
		in.k = k
		k.Forgive()
		in.script()
		in.settle()
	})
	for _, p := range in.problems {
		t.Error(p)
	}
	if in.struck && !in.silent && !in.told() {
		t.Error("nobody was told of the fault")
	}
}

// adjust has each commit looked at, and puts the run's points there.
func (in *injection) adjust(set *supervisor.Settings) {
	connect := set.Connect
	set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) {
		link, err := connect(inbox)
		link.Committer = watchedCommitter{link.Committer, in}
		return link, err
	}
	if in.adapt != nil {
		in.adapt(set)
	}
}

// watchedCommitter looks whether what is to be committed is finished.
type watchedCommitter struct {
	supervisor.Committer
	in *injection
}

func (w watchedCommitter) Claim(c messages.Claim) supervisor.Commits {
	return watchedCommits{w.Committer.Claim(c), w.in, c.Partition}
}

type watchedCommits struct {
	supervisor.Commits
	in        *injection
	partition int32
}

func (w watchedCommits) Commit(p actors.Progress, urgent bool, done func(error)) {
	w.in.behind("a commit", w.partition, p.Next)
	w.Commits.Commit(p, urgent, done)
}

// told says whether the fault is in the log, or in the error with which the consumer has ended.
func (in *injection) told() bool {
	what := injected + " " + in.point
	if in.exits {
		what = string(messages.Goexit)
	}
	return logged(in.k, what) || slices.ContainsFunc(in.boss.asked(), func(err error) bool { return strings.Contains(err.Error(), what) })
}

// script is what happens. Any of it may find the consumer ended.
func (in *injection) script() {
	k := in.k
	reader := k.System().Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	tell := func(partition int32, m any) {
		k.Tell(&messages.Forward{Topic: "orders", Partition: partition, Message: m})
	}
	head := func(partition int32, word string) messages.Head { // a command for another one is refused
		return messages.Head{Topic: "orders", Partition: partition, Offset: in.offsets[word]}
	}
	p := []*partition{in.assign(0), in.assign(1), in.assign(2)}
	k.System().Root.RequestWithCustomSender(k.PID(), &messages.Subscribe{}, reader)
	k.FailCommits(1, errBoom)
	in.produce(0, "a", "fail", "skip", "letter", "b")
	in.produce(1, "a", "panic", "break", "b")
	in.produce(2, "a", "slow", "b")
	k.Advance(3 * time.Second)
	k.FailStore(1, errOther)
	in.produce(0, "skip", "park")
	k.Advance(3 * time.Second)
	k.Do(&messages.RetryHead{Head: head(0, "park"), By: "test"})
	in.produce(0, "operator skips", "operator dead-letters", "c")
	k.Do(&messages.SkipHead{Head: head(0, "operator skips"), By: "test"})
	k.Do(&messages.DeadLetterHead{Head: head(0, "operator dead-letters"), To: "orders.dlt", By: "test"})
	_ = k.Pause("orders", 1)
	in.produce(1, "paused")
	k.Do(&messages.ParkHead{Head: head(1, "paused"), By: "test"})
	_ = k.Resume("orders", 1)
	k.Do(&messages.RetryHead{Head: head(1, "paused"), By: "test"})
	for _, word := range []string{"child", "panic", "stop"} {
		tell(1, word)
		k.Advance(2 * time.Second)
	}
	k.System().Root.Stop(reader)
	k.Notice(errOther)
	k.Notice(nil)
	p[2].Corrupt(in.produced[2], errBoom)
	in.produce(2, "corrupt", "c")
	k.Do(&messages.SkipHead{Head: head(2, "corrupt"), By: "test"})
	p[2].Corrupt(in.offsets["corrupt"], nil)
	in.produce(2, "slow")
	if k.Status().Phase == "member" {
		in.lostIn = k.Ends()
	}
	p[2].Lose(errOther)
	in.produce(1, "slow", "d")
	p[1].StartRevoke(10 * time.Second)
	p[1] = in.assign(1) // waits for the old claim
	p[2] = in.assign(2)
	in.store.Fence("orders", 0)
	in.produce(0, "d")
	k.Advance(3 * time.Second)
	k.Expel(errOther)
}

// settle shows that every record is finished in the end, whoever owns the partitions by now, and that all is released.
func (in *injection) settle() {
	k := in.k
	in.mu.Lock()
	in.healed = true
	in.mu.Unlock()
	var p []*partition
	for n := range int32(3) {
		p = append(p, in.owner(n))
		in.produce(n, "last")
	}
	for n, one := range p {
		for range 20 {
			if in.store.Next("orders", int32(n)) == in.produced[int32(n)] {
				break
			}
			_ = one.Retry(one.Status().Head)
			k.Advance(time.Minute)
			if !one.Owned() { // the fault has struck now
				one = in.owner(int32(n))
			}
		}
		if next := in.store.Next("orders", int32(n)); next != in.produced[int32(n)] {
			in.t.Errorf("%d of partition %d are finished, of %d: %+v", next, n, in.produced[int32(n)], one.Status())
		}
		in.behind("the store", int32(n), in.store.Next("orders", int32(n)))
		in.behind("Kafka", int32(n), one.Committed())
	}
	if in.cut {
		in.produce(0, "slow") // is in flight
		k.System().Root.Poison(k.PID())
		k.Tell(&messages.Stop{})
		k.Tell(&messages.Kill{})
	}
	k.Tell(&messages.Drain{})
	k.Advance(2 * time.Minute)
	for _, one := range p {
		if one.Owned() && k.Ends() == 0 {
			in.t.Errorf("%v is not released after the end", one.Claim())
		}
	}
	if k.Ends() == 0 {
		in.t.Error("the consumer has not ended")
	}
}

// owner answers who owns the partition, and else assigns it.
func (in *injection) owner(n int32) *partition {
	for range 100 {
		if !in.joined() {
			in.k.Advance(10 * time.Second)
			continue
		}
		st := in.k.Status()
		for _, one := range st.Partitions {
			if one.Claim.Partition == n {
				if p := in.claimed[one.Claim.Sequence]; p != nil && p.Owned() {
					return p
				}
			}
		}
		return in.assign(n)
	}
	return in.assign(n)
}
