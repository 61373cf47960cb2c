package member

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// api is a kind of request.
type api string

const (
	apiFind   api = "find"
	apiJoin   api = "join"
	apiSync   api = "sync"
	apiBeat   api = "heartbeat"
	apiLeave  api = "leave"
	apiCommit api = "commit"
	apiRead   api = "read"
)

// The connections of a process to its coordinator. Each carries requests in order; from one to the other, nothing is
// in order.
const (
	joinWire = iota
	beatWire
	offsetWire
	findWire // to any broker, for one request
	wires
)

// wire is one connection. The broker takes its next request when it has answered the one before, as Kafka does.
type wire struct {
	addr    string
	dead    bool
	last    time.Duration // when its last request arrives
	busy    *call
	waiting []*call
	calls   []*call // not answered, as the process sees it
}

// call is one request.
type call struct {
	p    *proc
	w    *wire
	api  api
	body any
	no   int
	mis  mishap
	over bool // for the process: answered, or given up
	back func(reply)
	stop *appointment
}

// reply is what came of a call; err: nobody answered.
type reply struct {
	body     any
	code     sarama.KError
	err      error
	timedOut bool
}

// fault is what a machine is told of it.
func (r reply) fault() error {
	switch {
	case r.err != nil:
		return r.err
	case r.code != sarama.ErrNoError:
		return r.code
	default:
		return nil
	}
}

// mishap is what a script has in store for the next request of a kind.
type mishap struct {
	out, in  time.Duration // delays
	noArrive bool          // the request gets lost
	noAnswer bool          // it is carried out, and the answer gets lost
	reset    bool          // it is carried out, and the connection breaks in the place of the answer
	code     sarama.KError // it is answered with this, and not carried out
}

var (
	errNetwork = errors.New("network")
	errUnknown = errors.New("the coordinator is not known")
)

// call makes a request. back is called once, unless the process ends before.
func (p *proc) call(link int, a api, limit time.Duration, body any, back func(reply)) {
	s := p.s
	w := p.wires[link]
	switch {
	case link == findWire:
		w = &wire{}
	case p.addr == "":
		p.after(p.jitter(), func() { back(reply{err: errUnknown}) })
		return
	case w == nil:
		w = &wire{addr: p.addr}
		p.wires[link] = w
	}
	s.calls++
	c := &call{p: p, w: w, api: a, body: body, no: s.calls, back: back, mis: p.mishap(a)}
	w.calls = append(w.calls, c)
	c.stop = p.after(limit, func() { p.sever(w, c) })
	if c.mis.noArrive || p.deaf {
		return
	}
	w.last = max(w.last, s.now+p.jitter()+c.mis.out)
	s.after(w.last-s.now, c.arrive)
}

// arrive: the request is at the broker. What was on its way when the connection was cut may arrive all the same, and
// later than what was sent on the next one.
func (c *call) arrive() {
	if c.w.busy != nil {
		if !c.w.dead {
			c.w.waiting = append(c.w.waiting, c)
		}
		return
	}
	c.w.busy = c
	if c.mis.code != sarama.ErrNoError {
		c.answer(reply{code: c.mis.code})
		return
	}
	c.p.s.hub.take(c)
}

// answer sends a reply, and has the broker take the connection's next request.
func (c *call) answer(r reply) {
	s, p := c.p.s, c.p
	c.w.busy = nil
	if !p.dead && !c.mis.noAnswer && !p.mute {
		s.after(p.jitter()+c.mis.in, func() {
			p.run(func() {
				switch {
				case c.over:
				case c.mis.reset:
					p.sever(c.w, nil)
				default:
					c.end(r)
				}
			})
		})
	}
	if len(c.w.waiting) > 0 && !c.w.dead {
		next := c.w.waiting[0]
		c.w.waiting = c.w.waiting[1:]
		s.after(0, next.arrive)
	}
}

// end: the process has what it gets.
func (c *call) end(r reply) {
	c.over = true
	c.stop.cancel()
	for i, o := range c.w.calls {
		if o == c {
			c.w.calls = append(c.w.calls[:i:i], c.w.calls[i+1:]...)
			break
		}
	}
	c.back(r)
}

// sever cuts a connection, with all that it carries; late is the call whose time was over.
func (p *proc) sever(w *wire, late *call) {
	if w.dead {
		return
	}
	w.dead, w.waiting = true, nil
	for i := range p.wires {
		if p.wires[i] == w {
			p.wires[i] = nil
		}
	}
	calls := w.calls
	w.calls = nil
	for _, c := range calls {
		if !c.over {
			c.end(reply{err: errNetwork, timedOut: c == late})
		}
	}
}

// move uses another coordinator from now on; requests in flight end, each by itself.
func (p *proc) move(addr string) {
	p.addr = addr
	p.place.Move(addr)
	old := p.wires
	p.wires = [wires]*wire{}
	for _, w := range old {
		if w == nil || w.dead {
			continue
		}
		w.dead, w.waiting = true, nil
		for _, c := range w.calls {
			c.stop.cancel()
			p.after(p.jitter(), func() {
				if !c.over {
					c.end(reply{err: errNetwork})
				}
			})
		}
	}
	p.commits.poke()
}

// mishap takes what the script has in store.
func (p *proc) mishap(a api) mishap {
	list := p.mishaps[a]
	if len(list) == 0 || p.s.peace {
		return mishap{}
	}
	p.mishaps[a] = list[1:]
	return list[0]
}
