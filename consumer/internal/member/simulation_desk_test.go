package member

import "time"

// desk is the supervisor: one message after the other.
func (p *proc) desk(f func()) {
	p.inbox = append(p.inbox, f)
	p.read()
}

func (p *proc) read() {
	if p.reading || len(p.inbox) == 0 {
		return
	}
	p.reading = true
	p.after(max(p.jitter()/4, p.stalled-p.s.now), func() {
		p.reading = false
		if p.s.now < p.stalled { // meanwhile
			p.read()
			return
		}
		f := p.inbox[0]
		p.inbox = p.inbox[1:]
		f()
		p.read()
	})
}

// later is a timer of the supervisor's.
func (k *tenure) later(d time.Duration, f func()) {
	k.timer.cancel()
	var a *appointment
	a = k.p.after(d, func() {
		k.p.desk(func() {
			if !a.off {
				f()
			}
		})
	})
	k.timer = a
}
