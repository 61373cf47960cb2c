package consumertest

import (
	"github.com/ottla-go/ottla/actors"
)

// Option says what an Assign finds that nobody in the test has left.
type Option func(*partitionLog)

// From is what the last owner has committed. A log in which nothing was written yet begins there.
func From(offset int64) Option {
	return func(l *partitionLog) {
		l.begin(offset)
		l.carry(func(p *actors.Progress) { *p = actors.Progress{Next: offset} })
	}
}

// Attempts is how many attempts at the record at the committed offset earlier owners have made.
func Attempts(n int) Option {
	return func(l *partitionLog) { l.carry(func(p *actors.Progress) { p.Attempt = n }) }
}

// Parked says that the last owner has parked the record at the committed offset.
func Parked(reason string) Option {
	return func(l *partitionLog) {
		l.carry(func(p *actors.Progress) { p.Parked, p.Reason, p.Attempt = true, reason, max(p.Attempt, 1) })
	}
}

// LogStart is where a log begins in which nothing was written yet.
func LogStart(offset int64) Option { return func(l *partitionLog) { l.begin(offset) } }

// carry changes what is committed; what was not is 0.
func (l *partitionLog) carry(change func(*actors.Progress)) {
	p, known, _ := l.last()
	if !known {
		p = actors.Progress{Next: l.start}
	}
	change(&p)
	l.commit(p)
}
