package consumertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Kit is one consumer on a script. Its methods, and those of its Partitions, belong to the test's own goroutine: each
// returns when everything in the bubble is idle, so that what it caused has happened.
type Kit struct {
	t     *testing.T
	cfg   Config
	set   supervisor.Settings
	sys   *actor.ActorSystem
	began time.Time
	logs  *logbook
	story *story

	reader *actor.PID // gathers events
	root   *actor.PID // the consumer's, or its parent's
	gone   <-chan struct{}

	mu     sync.Mutex
	pid    *actor.PID
	link   *link
	change chan struct{} // closed and made anew when an incarnation has ended
	ends   []error       // of incarnations
	events []messages.Event

	logsOf     map[place]*partitionLog
	partitions []*Partition
	sequence   uint64

	failCommits int
	commitErr   error
	commitTime  time.Duration
	failStarts  int
	startErr    error
	leaveTime   time.Duration
	leaveErr    error
	blocked     []*blocked
	releasing   bool // the test is over: nobody blocks any more
	forgiving   bool // a seam was broken on purpose
	keepable    bool // records may be left kept
	overlaps    []overlap
}

// System is the actor system that everything runs in.
func (k *Kit) System() *actor.ActorSystem { return k.sys }

// PID is the consumer's actor.
func (k *Kit) PID() *actor.PID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pid
}

// Root is the actor that was spawned: the consumer, or its Parent.
func (k *Kit) Root() *actor.PID { return k.root }

// Now is the virtual time since Run began.
func (k *Kit) Now() time.Duration { return time.Since(k.began) }

// Advance lets virtual time pass, with everything that is due in it.
func (k *Kit) Advance(d time.Duration) {
	k.story.addf("-- %v pass", d)
	time.Sleep(d)
	synctest.Wait()
}

// Assign makes the consumer the owner of a partition. Its log and what was committed are those that earlier owners left;
// options say what nobody of this test has left. Each call is a new claim.
func (k *Kit) Assign(topic string, partition int32, options ...Option) *Partition {
	k.t.Helper()
	at := place{topic, partition}
	log := k.log(at)
	for _, o := range options {
		o(log)
	}
	k.mu.Lock()
	k.sequence++
	p := &Partition{k: k, log: log, claim: messages.Claim{
		Group: k.set.Group, Member: memberName, Topic: topic, Partition: partition,
		Generation: int32(k.sequence), Sequence: k.sequence,
	}}
	k.partitions = append(k.partitions, p)
	l := k.link
	k.mu.Unlock()
	k.story.addf("-- %v is assigned", p.claim)
	if l == nil || !l.membership.assign(p.claim) {
		k.t.Fatalf("Assign(%v): the consumer is not a member of its group", at)
	}
	p.link = l
	synctest.Wait()
	return p
}

// Produce writes records with these values into a partition's log, whoever owns it; see [Partition.Append].
func (k *Kit) Produce(topic string, partition int32, values ...string) []*messages.Record {
	records := make([]*messages.Record, len(values))
	for i, v := range values {
		records[i] = &messages.Record{Value: []byte(v)}
	}
	return k.ProduceRecords(topic, partition, records...)
}

// ProduceRecords writes into a partition's log, whoever owns it; see [Partition.AppendRecords].
func (k *Kit) ProduceRecords(topic string, partition int32, records ...*messages.Record) []*messages.Record {
	k.log(place{topic, partition}).append(records...)
	if n := len(records); n > 0 {
		k.story.addf("-- %d records are produced to %s/%d, offsets %d to %d", n, topic, partition, records[0].Offset, records[n-1].Offset)
	}
	k.wake()
	return records
}

// Truncate deletes what lies below the offset of a partition, whoever owns it; see [Partition.Truncate].
func (k *Kit) Truncate(topic string, partition int32, offset int64) {
	k.log(place{topic, partition}).truncate(offset)
	k.wake()
}

// wake has the source look at all logs.
func (k *Kit) wake() {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	if l != nil {
		l.source.wake()
	}
	synctest.Wait()
}

// Tell sends a message to the consumer's actor, for example *messages.Drain, and does not wait for what it starts to
// end.
func (k *Kit) Tell(message any) {
	k.story.addf("-- it is told %T", message)
	if pid := k.PID(); pid != nil {
		k.sys.Root.Send(pid, message)
	}
	synctest.Wait()
}

// Do gives an operator's command and answers the result. Where no answer comes, its Err says so.
func (k *Kit) Do(cmd messages.Command) *messages.Result {
	k.story.addf("-- the command %T at offset %d", cmd, messages.Target(cmd).Offset)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	res, err := k.ref().Do(ctx, cmd)
	if res == nil {
		res = &messages.Result{Head: messages.Head{Offset: -1}, Err: err}
	}
	synctest.Wait()
	return res
}

// Status is the consumer's. After its end the Phase is "stopped" and nothing else is known.
func (k *Kit) Status() *messages.Status {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := k.ref().Status(ctx)
	if err != nil {
		return &messages.Status{Group: k.set.Group, Phase: "stopped", Time: time.Now()}
	}
	synctest.Wait()
	return st
}

func (k *Kit) ref() consumer.Ref { return consumer.NewRef(k.sys, k.PID()) }

// Events are all that happened so far.
func (k *Kit) Events() []messages.Event {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]messages.Event(nil), k.events...)
}

// Logs are the lines that the consumer has logged so far, at every level.
func (k *Kit) Logs() []Log { return k.logs.all() }

// Drain does what the end of Run's context does, and answers what Run would return.
func (k *Kit) Drain() error { return k.end(&messages.Drain{}) }

// Stop does what a second signal does, and answers what Run would return.
func (k *Kit) Stop() error { return k.end(&messages.Stop{}) }

// Kill does what a third signal does, and answers what Run would return.
func (k *Kit) Kill() error { return k.end(&messages.Kill{}) }

func (k *Kit) end(how any) error {
	k.t.Helper()
	n := k.Ends()
	if pid := k.PID(); pid != nil {
		k.sys.Root.Send(pid, how)
	}
	return k.awaitEnd(n)
}

// Wait waits for the end of the consumer, which something else has caused, and answers what Run would return.
func (k *Kit) Wait() error {
	k.t.Helper()
	return k.awaitEnd(0)
}

// Ends is how many incarnations of the consumer have ended. Without a Parent there is only one.
func (k *Kit) Ends() int {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ends)
}

// awaitEnd waits until more than n incarnations have ended, or the only one has, and answers the last one's error.
func (k *Kit) awaitEnd(n int) error {
	k.t.Helper()
	deadline := time.Now().Add(k.patience())
	for {
		k.mu.Lock()
		change, ends := k.change, k.ends
		k.mu.Unlock()
		if len(ends) > n || (len(ends) > 0 && !k.set.Embedded) {
			synctest.Wait()
			return ends[len(ends)-1]
		}
		if !k.within(change, time.Until(deadline)) {
			k.t.Fatalf("the consumer did not end within %v:\n%v", k.patience(), k.describe())
		}
	}
}

// hasEnded is Settings.Ended.
func (k *Kit) hasEnded(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ends = append(k.ends, err)
	close(k.change)
	k.change = make(chan struct{})
}

// FailCommits makes the next n offset commits fail with err; n < 0: all, until the next call. Each is tried again after
// 100 ms, doubling up to 1 s, while its claim is open.
func (k *Kit) FailCommits(n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failCommits, k.commitErr = n, err
}

// CommitTime is how long a commit takes from now on. Default: no time.
func (k *Kit) CommitTime(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commitTime = d
}

// committing is what the next commit is to do.
func (k *Kit) committing() (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commitTime, spend(&k.failCommits, k.commitErr)
}

// FailStarts makes the next n look-ups of where a claim begins fail with err; n < 0: all, until the next call.
func (k *Kit) FailStarts(n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failStarts, k.startErr = n, err
}

func (k *Kit) starting() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return spend(&k.failStarts, k.startErr)
}

// LeaveTakes says how long the group takes to answer a leave, and what. Default: nothing, at once.
func (k *Kit) LeaveTakes(d time.Duration, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaveTime, k.leaveErr = d, err
}

func (k *Kit) leaving() (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leaveTime, k.leaveErr
}

func spend(n *int, err error) error {
	if *n == 0 {
		return nil
	}
	if *n > 0 {
		*n--
	}
	return err
}

// Expel ends the membership for good, as a group does that refuses the member: everything is lost.
func (k *Kit) Expel(err error) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	l.membership.expel(err)
	synctest.Wait()
}

// Notice tells what a membership wants a user to read; nil clears it.
func (k *Kit) Notice(err error) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	l.membership.inbox.Notice(err)
	synctest.Wait()
}

// log is the script's side of a partition.
func (k *Kit) log(at place) *partitionLog {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.logsOf[at]
	if l == nil {
		l = newPartitionLog(at)
		k.logsOf[at] = l
	}
	return l
}

// partitionOf is the claim's handle.
func (k *Kit) partitionOf(c messages.Claim) *Partition {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.partitions {
		if p.claim.Sequence == c.Sequence {
			return p
		}
	}
	return nil
}

// opened notes the claim's mailbox.
func (k *Kit) opened(c messages.Claim, sink actors.Sink) {
	p := k.partitionOf(c)
	if p == nil {
		k.fault("Source.Open(%v), which was never assigned", c)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p.mailbox, _ = sink.(mailbox)
}

// released notes when a claim was released.
func (k *Kit) released(c messages.Claim) {
	p := k.partitionOf(c)
	if p == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.releasedAt.IsZero() {
		p.releasedAt = time.Now()
	}
}

// Forgive says that breaches of a seam's contract do not fail the test any more. It is for tests that break a seam.
func (k *Kit) Forgive() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgiving = true
}

// fault fails the test: the supervisor broke the contract of a seam. Nobody may hold k.mu.
func (k *Kit) fault(format string, args ...any) {
	k.mu.Lock()
	forgiving := k.forgiving
	k.mu.Unlock()
	if !forgiving {
		k.t.Errorf("contract of a seam: "+format, args...)
	}
}

// describe is for the texts of failures.
func (k *Kit) describe() string {
	var b strings.Builder
	st := k.Status()
	fmt.Fprintf(&b, "phase %s, health %+v\n", st.Phase, st.Health)
	for _, p := range st.Partitions {
		fmt.Fprintf(&b, "  %v: %v, head %d, attempt %d, depth %d, %s %s\n", p.Claim, p.State, p.Head, p.Attempt, p.Depth, p.Reason, p.Error)
	}
	return b.String()
}
