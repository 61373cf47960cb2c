package cable

import "context"

// Tap listens to one connection. Held, Request and HungUp are called by one goroutine, Answer and Over by another one; what they
// are given is theirs until they return.
type Tap interface {
	// Held is told what waits at a cut now; nothing, where it is the client's end.
	Held(b []byte)
	// Request is told what goes to the far end, before it does. late: it has waited at a cut.
	Request(b []byte, late bool)
	// HungUp: the client has, and the far end hears of it when HungUp returns. Until then it answers what has arrived,
	// also what its sender does not wait for any more; a far end that knows of the end may not. ctx ends with the cable.
	HungUp(ctx context.Context)
	// Answer is told what the far end has said, before it waits at a cut.
	Answer(b []byte)
	// Over: the far end says nothing any more.
	Over()
}

// Tap has each connection that is made from now on listened to by what it is given.
func (c *Cable) Tap(each func() Tap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tap = each
}

func (c *Cable) tapped() Tap {
	c.mu.Lock()
	each := c.tap
	c.mu.Unlock()
	if each == nil {
		return deaf
	}
	return each()
}

// deaf is what listens where nobody does.
var deaf Tap = silence{}

type silence struct{}

func (silence) Held([]byte)            {}
func (silence) Request([]byte, bool)   {}
func (silence) HungUp(context.Context) {}
func (silence) Answer([]byte)          {}
func (silence) Over()                  {}
