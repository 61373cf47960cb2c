package consumertest

import (
	"context"
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

	failCommits failing
	commitTime  time.Duration
	failStarts  failing
	failStore   failing
	failLetters failing
	letterTime  time.Duration
	deadLetters []messages.DeadLetter
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
	if h := k.set.For(topic); h.Handler == nil && h.Producer == nil {
		k.t.Fatalf("Assign(%v): nobody handles this topic: the Config has neither Handler nor Actor, and PerTopic has no such topic", at)
	}
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
	k.story.addf("-- the command %T: %+v", cmd, cmd)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	res, err := k.ref().Do(ctx, cmd)
	if res == nil {
		res = &messages.Result{Head: messages.Head{Offset: -1}, Err: err}
	}
	synctest.Wait()
	return res
}

// Pause gives the command Pause by "test", of all of the topic where no partition is named, and answers the Result's error.
func (k *Kit) Pause(topic string, partitions ...int32) error {
	return k.Do(&messages.Pause{Topic: topic, Partitions: partitions, By: "test"}).Err
}

// Resume see Pause.
func (k *Kit) Resume(topic string, partitions ...int32) error {
	return k.Do(&messages.Resume{Topic: topic, Partitions: partitions, By: "test"}).Err
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
