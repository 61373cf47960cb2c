package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var (
	errRefused = errors.New("the letter is refused")
	errUnheard = errors.New("nobody knows whether the letter is written")
)

// letters is where dead letters are written to, by all processes, and what is in store for the next ones.
type letters struct {
	mu       sync.Mutex
	failed   int           // so many are refused from now on
	unsure   int           // so many are written, and fail to say so
	hanging  int           // so many hang until their context ends
	slow     time.Duration // the next one takes so long
	stubborn bool          // and does not mind its context
}

func (b *letters) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// disturbLetters adds what befalls dead letters, and operators who write some, from random numbers of its own.
func (s *schedule) disturbLetters() {
	r := rand.New(rand.NewPCG(s.seed, 9))
	if r.IntN(3) == 0 {
		return
	}
	for range 1 + r.IntN(6) {
		n, long, one, nth, after := 1+r.IntN(3), time.Duration(r.IntN(45_000))*time.Millisecond, which(r), r.IntN(1<<16), time.Duration(r.IntN(2000))*time.Millisecond
		b := func(w *world) *letters { return &w.letters }
		f := fault{pause: pause(r)}
		switch r.IntN(6) {
		case 0:
			f.text, f.do = fmt.Sprintf("%d dead letters are refused", n), func(w *world) { b(w).set(func() { b(w).failed += n }) }
		case 1:
			f.text, f.do = fmt.Sprintf("%d dead letters are written, and fail to say so", n), func(w *world) { b(w).set(func() { b(w).unsure += n }) }
		case 2:
			f.text, f.do = fmt.Sprintf("%d dead letters hang until their contexts end", n), func(w *world) { b(w).set(func() { b(w).hanging += n }) }
		case 3:
			stubborn := r.IntN(2) == 0
			f.text = fmt.Sprintf("a dead letter takes %v, whatever its context says: %v", long, stubborn)
			f.do = func(w *world) { b(w).set(func() { b(w).slow, b(w).stubborn = long, stubborn }) }
		default:
			f.text = fmt.Sprintf("an operator looks at a head, and %v later has it written as a dead letter", after)
			f.do = func(w *world) {
				if p := one(w); p != nil {
					w.disturbances.Go(func() { w.act(p, nth, after, asLetter) })
				}
			}
		}
		s.faults = slices.Insert(s.faults, r.IntN(len(s.faults)+1), f)
	}
}

// pen writes the letters of one process.
type pen struct{ p *process }

var _ supervisor.DeadLetterWriter = pen{}

// WriteDeadLetter implements supervisor.DeadLetterWriter.
func (n pen) WriteDeadLetter(ctx context.Context, d *messages.DeadLetter) error {
	p, b := n.p, &n.p.world.letters
	p.world.ledger.letter(p, d) // not at the gate, as what was decided
	p.gate.pass()
	b.mu.Lock()
	hangs, takes, end := spend(&b.hanging), b.slow+time.Millisecond, ctx.Done()
	if b.slow = 0; b.stubborn {
		end = nil
	}
	b.stubborn = false
	b.mu.Unlock()
	if hangs && !p.world.peace.Load() {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	select {
	case <-time.After(takes):
	case <-end:
		return context.Cause(ctx)
	}
	p.gate.pass()
	b.mu.Lock()
	refused := spend(&b.failed)
	unsure := !refused && spend(&b.unsure)
	b.mu.Unlock()
	switch {
	case refused || p.isDead():
		return errRefused
	case unsure:
		p.world.ledger.note("%s writes a letter of %s and does not know it", p.name, d.Record)
		return errUnheard
	}
	p.world.ledger.written(p, d.Record, ctx.Err() == nil)
	return nil
}

// letter: one is to be written. What stands in it must be right, and it must be the policy's word, or an operator's.
func (l *ledger) letter(who *process, d *messages.DeadLetter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who.dead {
		return
	}
	s, r := who.seenOf(d.Record.Partition), d.Record
	l.counts.letters++
	l.notef("%s writes %s to %s, by %q %q", who.name, r, d.To, d.Rule, d.By)
	if why := l.misread(s, d); why != "" {
		l.violatef("%s writes %s as a letter to %s%s", who.name, r, d.To, why)
	}
	q := s.life.asked
	switch {
	case d.By != "":
		if who.asked[r.Partition] == 0 {
			l.violatef("%s writes %s as a letter by %s, who has not asked for it", who.name, r, d.By)
		}
		return
	case who.world.store != nil && (q == nil || s.life.offset != r.Offset || r.Fence != s.fence):
		s.strange = true
		return
	case q == nil || s.life.offset != r.Offset:
		l.violatef("%s writes %s as a letter to %s, which has not failed", who.name, r, d.To)
		return
	}
	q.letter = true
	decision := messages.Decision{Action: messages.ActionDeadLetter, Rule: d.Rule, Target: d.To, Left: -1}
	if s.strange || s.life.blurred {
		return // it is told when it is written
	}
	l.counts.decisions++
	s.asks(who, q, &d.Failure)
	_, decision.Step, _ = who.world.decide(s, d.Failure.Class, d.Failure.Err, d.Failure.Last) // it is not told
	if why := who.world.compare(s, &d.Failure, decision); why != "" {
		l.violatef("%s writes %s as a letter by %s%s", who.name, r, d.Rule, why)
	}
}

// misread says what is wrong with a letter, as who reads it later would see it.
func (l *ledger) misread(s *seen, d *messages.DeadLetter) string {
	r, text := d.Record, strconv.FormatInt(d.Record.Offset, 10)
	headers := deadletter.Headers(d)
	got, ok := deadletter.Read(headers)
	own := deadletter.Own(headers)
	switch {
	case string(r.Value) != text || string(r.Key) != "k"+text || len(own) != 1 || own[0].Key != "h" || string(own[0].Value) != text:
		return fmt.Sprintf(" with %q=%q and headers %v", r.Key, r.Value, own)
	case !ok || got.Topic != topic || got.Partition != r.Partition || got.Offset != r.Offset || got.From != r.String() || got.Count != 1:
		return fmt.Sprintf(" as from %+v", got)
	case got.Group != "g" || got.Rule != d.Rule || got.By != d.By || !got.Written.Equal(time.Now()) && d.By == "" && s.life.asked != nil && got.Written.Before(s.life.asked.at):
		return fmt.Sprintf(", which says %+v", got)
	case d.By == "" && (got.Class != d.Failure.Class.String() || got.Error == ""):
		return fmt.Sprintf(" for %v, which says %+v", d.Failure, got)
	case s.knows(r) && got.Attempts != s.attempts(r.Offset):
		return fmt.Sprintf(" of %d attempts, which says %+v", s.attempts(r.Offset), got)
	}
	return ""
}

// written: a letter is stored for good. In time is one that somebody waits for.
func (l *ledger) written(who *process, r *messages.Record, inTime bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notef("%s has written %s, in time: %v", who.name, r, inTime)
	s := who.seenOf(r.Partition)
	if who.dead || !inTime {
		return
	}
	l.counts.written++
	if r.Fence == s.fence {
		s.lettered = r.Offset
	}
	if who.world.store == nil {
		l.leaves(r.Partition, r.Offset)
	}
}
