package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// order says how it will fail.
type order struct {
	Fails string `json:"fails"`
}

// shop is the application. It is safe for concurrent use.
type shop struct {
	mu      sync.Mutex
	known   bool // the customer is
	tried   map[string]int
	parked  *messages.Head
	count   map[string]int
	changed chan struct{}
}

func newShop() *shop {
	return &shop{tried: map[string]int{}, count: map[string]int{}, changed: make(chan struct{})}
}

// handle fails as the order says, the first time or two.
func (s *shop) handle(ctx context.Context, _ *consumer.Record, o order) error {
	s.mu.Lock()
	s.tried[o.Fails]++
	times, known := s.tried[o.Fails], s.known
	s.mu.Unlock()
	switch {
	case o.Fails == "busy" && times <= 2:
		return errBusy
	case o.Fails == "panic" && times == 1:
		panic("an order that nobody expected")
	case o.Fails == "obsolete":
		return errObsolete
	case o.Fails == "customer" && !known:
		return errUnknownCustomer
	case o.Fails == "database" && times <= 3:
		return errDatabaseAway
	case o.Fails == "hangs" && times == 1:
		<-ctx.Done() // a call that nobody answers, and that heeds its context
		return ctx.Err()
	case o.Fails == "ledger":
		return errLedgerBroken
	}
	s.note("processed")
	return nil
}

// see tells what supervision does, and counts it.
func (s *shop) see(e messages.Event) {
	switch e := e.(type) {
	case *messages.Failed:
		fmt.Printf("%s failed: %v: %v\n", e.Failure.Where(), e.Failure.Err, e.Decision.Action)
		if e.Failure.Class == messages.ClassTimeout {
			s.note("timeouts")
		}
		switch e.Decision.Action {
		case messages.ActionRetry:
			s.note("retries")
		case messages.ActionRestart:
			s.note("restarts")
		case messages.ActionEscalate:
			s.note("escalated")
		case messages.ActionSkip, messages.ActionDeadLetter, messages.ActionPark, messages.ActionBreak: // told when they are done
		}
	case *messages.Skipped:
		s.note("skipped")
	case *messages.DeadLettered:
		fmt.Printf("%v is in %s\n", e.Head, e.To)
		s.note("dead_lettered")
	case *messages.Parked:
		fmt.Printf("%v is parked: %s\n", e.Head, e.Reason)
		s.mu.Lock()
		s.parked = &e.Head
		s.mu.Unlock()
		s.note("parked")
	case *messages.Unparked:
		fmt.Printf("%v goes on, says %s\n", e.Head, e.By)
		s.note("unparked")
	case *messages.BreakerOpened:
		fmt.Printf("all partitions hold, and %v probes\n", e.Head)
		s.note("breaker_opened")
	case *messages.BreakerClosed:
		fmt.Printf("all partitions go on\n")
		s.note("breaker_closed")
	}
}

// know makes the customer known.
func (s *shop) know() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = true
}

func (s *shop) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[what]++
	close(s.changed)
	s.changed = make(chan struct{})
}

// done needs the lock: what was processed or given up.
func (s *shop) done() int {
	return s.count["processed"] + s.count["skipped"] + s.count["dead_lettered"]
}

// await waits until a state is reached, which is looked at under the lock; false: ctx has ended before.
func (s *shop) await(ctx context.Context, reached func() bool) bool {
	for {
		s.mu.Lock()
		is, changed := reached(), s.changed
		s.mu.Unlock()
		if is {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (s *shop) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var line strings.Builder
	line.WriteString("summary:")
	for _, what := range []string{
		"processed", "retries", "restarts", "timeouts", "skipped", "dead_lettered", "parked", "unparked", "breaker_opened", "breaker_closed", "escalated",
	} {
		fmt.Fprintf(&line, " %s=%d", what, s.count[what])
	}
	return line.String()
}
