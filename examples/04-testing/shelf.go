package main

import (
	"errors"
	"maps"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Count begins a stocktaking: the shelf tells what it has, and nothing moves until Counted.
type Count struct{ Tell func(stock map[string]int) }

// Counted ends it.
type Counted struct{}

// shelf is the actor of one partition. It knows what it has without asking the database.
type shelf struct {
	actor.Behavior

	ledger *ledger
	stock  map[string]int
	kept   *messages.Record // came during a stocktaking
}

func newShelf(l *ledger) *shelf {
	s := &shelf{Behavior: actor.NewBehavior(), ledger: l}
	s.Become(s.open)
	return s
}

// open is the usual behaviour.
func (s *shelf) open(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Assigned: // each incarnation begins with what was booked
		s.stock = s.ledger.amounts(m.Claim.Partition)
	case *messages.Record:
		s.move(m)
	case *Count:
		m.Tell(maps.Clone(s.stock))
		s.Become(s.counting)
	}
}

// counting keeps the record that comes; there is only one, since the next one waits for it.
func (s *shelf) counting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		s.kept = m
		m.Keep()
	case *Counted, *messages.Revoked: // still the owner: what was kept is finished, and the next owner counts again
		s.Become(s.open)
		if s.kept != nil {
			s.move(s.kept)
			s.kept = nil
		}
	}
}

// move books first, then changes memory, then completes: a crash in between repeats the record, and the ledger knows it.
func (s *shelf) move(rec *messages.Record) {
	m, err := decode(rec)
	if err == nil {
		err = s.ledger.book(rec, m.Item, m.Pieces)
	}
	var ahead *messages.SeekError
	switch {
	case err == nil:
		s.stock[m.Item] += m.Pieces
	case errors.As(err, &ahead): // another owner was here: what is in memory is old
		s.stock = s.ledger.amounts(rec.Partition)
	}
	rec.Complete(err)
}
