package consumertest

import (
	"context"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// DeadLetters are those that were written so far, in order; their records are copies. With a Config.DeadLetters they are what
// it has taken.
func (k *Kit) DeadLetters() []messages.DeadLetter {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.deadLetters)
}

// FailDeadLetters makes the next n writes of a dead letter fail with err, in the place of reaching Config.DeadLetters or
// the kit's own list; n < 0: all, until the next call.
func (k *Kit) FailDeadLetters(n int, err error) {
	k.fail(&k.failLetters, n, err)
}

// DeadLetterTime is how long writing a dead letter takes from now on. Default: no time.
func (k *Kit) DeadLetterTime(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.letterTime = d
}

// letterbox writes to the user's writer, if there is one, and notes what was written.
type letterbox struct {
	k  *Kit
	to supervisor.DeadLetterWriter
}

// WriteDeadLetter implements supervisor.DeadLetterWriter.
func (b letterbox) WriteDeadLetter(ctx context.Context, l *messages.DeadLetter) error {
	b.k.mu.Lock()
	takes, err := b.k.letterTime, b.k.failLetters.spend()
	b.k.mu.Unlock()
	if takes > 0 {
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err == nil && b.to != nil {
		err = b.to.WriteDeadLetter(ctx, l)
	}
	if err != nil {
		b.k.story.addf("the dead letter of %v to %s is not written: %v", l.Record, l.To, err)
		return err
	}
	b.k.mu.Lock()
	defer b.k.mu.Unlock()
	kept := *l
	kept.Record = l.Record.Clone()
	b.k.deadLetters = append(b.k.deadLetters, kept)
	return nil
}
