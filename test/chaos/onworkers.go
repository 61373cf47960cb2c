package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// abuse does one thing after the other to workers until ctx ends; what has begun is brought to its end. An error is one of
// this program.
func (c *crew) abuse(ctx context.Context, d *deck, session time.Duration) error {
	for pause(ctx, d.between(time.Second, 2*session)) == nil {
		if err := errors.Join(c.replace(), c.once(ctx, d, session)); err != nil {
			return err
		}
	}
	return nil
}

// replace starts others for those who have ended by themselves; the checker is told that they have.
func (c *crew) replace() error {
	for _, p := range c.places {
		if p.now != nil && !p.now.alive() {
			c.recorder.say("worker %d has ended by itself", p.now.id)
			if err := c.start(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Times in which a worker has to do something that nobody hinders.
const (
	drainWithin = 90 * time.Second // 30 s for handlers, and a reserve for the last commits and for leaving
	awayAtMost  = 8 * time.Second
)

func (c *crew) once(ctx context.Context, d *deck, session time.Duration) error {
	kind, p := d.deal(), c.pick(d)
	f := fault{kind: kind, worker: p.now.id, begin: time.Now()}
	// Shorter than a session, or longer, by turns as the dice fall: within the lease, about it, and far beyond it.
	length := d.between(session/10, session*2)
	away := d.between(0, awayAtMost)
	switch kind {
	case killWorker:
		p.now.kill()
	case drainWorker:
		if err := p.now.drain(drainWithin); errors.Is(err, errNoEnd) {
			f.aside = "(which it did not heed: killed) "
			c.recorder.say("%v", err)
		} else if err != nil {
			return err
		}
	case stopWorker:
		if err := p.now.signal(syscall.SIGSTOP); err != nil {
			return nil //nolint:nilerr // it has ended by itself, which the checker is told
		}
		wait(length)
		_ = p.now.signal(syscall.SIGCONT)
	case cutBoth, cutRequests, cutAnswers:
		p.cable.Cut(kind != cutAnswers, kind != cutRequests)
		wait(length)
		p.cable.Heal()
	case joinWorker:
		if p = c.free(); p == nil {
			return nil
		}
		if err := c.start(p); err != nil {
			return err
		}
		f.worker = p.now.id
	default:
		return fmt.Errorf("there is no fault %q", kind)
	}
	f.end = time.Now()
	c.recorder.fault(f)
	if kind == killWorker || kind == drainWorker {
		_ = pause(ctx, away)
		if c.atWork() > 4 && d.of(2) == 0 { // it stays away
			p.now = nil
			return nil
		}
		return c.start(p)
	}
	return nil
}

// wait is for what has to be undone: it ends by itself.
func wait(d time.Duration) { <-time.After(d) }

// pick chooses one who is at work.
func (c *crew) pick(d *deck) *place {
	var at []*place
	for _, p := range c.places {
		if p.now != nil {
			at = append(at, p)
		}
	}
	return at[d.of(len(at))]
}

// free is a place without a worker; nil: there is none.
func (c *crew) free() *place {
	for _, p := range c.places {
		if p.now == nil {
			return p
		}
	}
	return nil
}

func (c *crew) atWork() (n int) {
	for _, p := range c.places {
		if p.now != nil && p.now.alive() {
			n++
		}
	}
	return n
}
