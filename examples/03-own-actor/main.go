// Own actor: a partition actor of your own, with state per partition and behaviours.
//
//	go run ./examples/03-own-actor
//
// Each partition has an account book of its own. It completes records, fails one (retry: the same incarnation, the
// state is kept), panics on another (restart: a fresh incarnation, whose state is read back from the store), and
// while it is frozen it puts records off without losing one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const orders, partitions = 300, 3

var (
	errCardReader = errors.New("the card reader does not answer")
	errFrozen     = errors.New("the account is frozen")
)

// Thaw is a message of our own: any message can be sent to a partition's actor.
type Thaw struct{}

// account is the actor of one partition. Nothing in it needs a lock: one message at a time.
type account struct {
	actor.Behavior

	bank   *bank
	claim  messages.Claim
	total  int64
	booked int
}

func newAccount(b *bank) *account {
	a := &account{Behavior: actor.NewBehavior(), bank: b}
	a.Become(a.active)
	return a
}

// active is the usual behaviour.
func (a *account) active(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Assigned: // to every incarnation, before its first record
		a.claim = m.Claim
		a.total = a.bank.load(m.Claim.Partition)
		fmt.Printf("partition %d: incarnation %d begins with a total of %d\n", m.Claim.Partition, m.Incarnation, a.total)
	case *messages.Record:
		a.record(ctx, m)
	case *messages.Revoked: // still the owner until m.Deadline: flush what is to be flushed
		fmt.Printf("partition %d: revoked (%v), %d booked by this incarnation\n", m.Claim.Partition, m.Reason, a.booked)
	case *messages.Lost: // no longer the owner: write nothing
		fmt.Printf("partition %d: lost: %v\n", m.Claim.Partition, m.Err)
	}
}

func (a *account) record(ctx actor.Context, rec *messages.Record) {
	o, err := messages.DecodeJSON[demo.Order](rec)
	switch {
	case err != nil:
		rec.Complete(err) // goes to the policy, as any failure
	case a.bank.once("fail", rec.Partition, o.Number >= 100):
		fmt.Printf("partition %d: %v fails; this incarnation has booked %d\n", rec.Partition, rec, a.booked)
		rec.Complete(errCardReader)
	case a.bank.once("panic", rec.Partition, o.Number >= 160):
		fmt.Printf("partition %d: %v panics; the total of %d in memory is gone\n", rec.Partition, rec, a.total)
		panic("an order that nobody expected")
	case a.bank.once("freeze", rec.Partition, o.Number >= 220):
		fmt.Printf("partition %d: frozen at %v\n", rec.Partition, rec)
		self, system := ctx.Self(), ctx.ActorSystem() // ctx itself must not leave Receive
		time.AfterFunc(200*time.Millisecond, func() { system.Root.Send(self, &Thaw{}) })
		a.Become(a.frozen)
		rec.Complete(messages.RetryAfter(50*time.Millisecond, errFrozen))
	default:
		a.book(rec, o)
	}
}

// frozen puts records off. A behaviour that forgot them would be told: ErrUnanswered, and nothing is lost.
func (a *account) frozen(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		m.Complete(messages.RetryAfter(50*time.Millisecond, errFrozen))
	case *Thaw:
		fmt.Printf("partition %d: thawed\n", a.claim.Partition)
		a.Become(a.active)
	}
}

// book saves first, then changes memory, then completes: a crash in between repeats the record, never loses it.
func (a *account) book(rec *messages.Record, o demo.Order) {
	a.bank.save(rec, a.total+o.Cents)
	a.total += o.Cents
	a.booked++
	rec.Complete(nil)
}

// bank stands for a database.
type bank struct {
	mu     sync.Mutex
	totals map[int32]int64
	done   map[string]bool
	tally  *demo.Tally
}

func (b *bank) load(partition int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.totals[partition]
}

func (b *bank) save(rec *messages.Record, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.totals[rec.Partition] = total
	b.tally.Finished(rec)
}

// once is true the first time that when is, for each partition.
func (b *bank) once(what string, partition int32, when bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := fmt.Sprint(what, partition)
	if !when || b.done[key] {
		return false
	}
	b.done[key] = true
	return true
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	addrs, end, err := demo.Broker("payments", partitions)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tally := demo.NewTally()
	b := &bank{totals: map[int32]int64{}, done: map[string]bool{}, tally: tally}
	member, err := demo.Join(consumer.Config{
		Brokers: addrs, Group: "accounts", Topics: []string{"payments"},
		Actor: func() actor.Actor { return newAccount(b) },
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(50*time.Millisecond))),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(50*time.Millisecond))),
		},
		HeartbeatInterval: 200 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
	}, tally, nil)
	if err != nil {
		return err
	}
	var want int64
	err = demo.Produce(ctx, addrs, "payments", orders, time.Second, func(n int) []byte {
		want += int64(n)
		value, _ := json.Marshal(demo.Order{Number: n, Cents: int64(n)})
		return value
	})
	if err != nil {
		return err
	}
	for have, changed := tally.Processed(); have < orders && ctx.Err() == nil; have, changed = tally.Processed() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	if err := member.Leave(); err != nil {
		return err
	}
	var total int64
	for _, t := range b.totals {
		total += t
	}
	fmt.Printf("total: %d, expected %d\n", total, want)
	line, ok := tally.Summary(orders)
	fmt.Println(line)
	if !ok || total != want {
		return errors.New("records were lost, out of order, or counted twice")
	}
	return nil
}
