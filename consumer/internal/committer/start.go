package committer

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// NoOffsetError is why a claim does not begin where nothing is committed and the start choice is Fail. It comes inside
// a supervisor.OutOfRangeError, so that the partition parks.
type NoOffsetError struct{ Group string }

// Error says what to do.
func (e *NoOffsetError) Error() string {
	return "nothing is committed for group " + e.Group + " and Offsets.Start is Fail: commit an offset and un-park, or skip to begin at the log's first record"
}

// Start implements supervisor.Commits. Errors that pass by themselves, a coordinator that moves or loads, a leader
// that is elected, are waited out until ctx ends.
func (k *claim) Start(ctx context.Context) (supervisor.Start, error) {
	ctx, cancel := k.within(ctx)
	defer cancel()
	if k.c.set.Store != nil {
		start, err := k.startByStore(ctx)
		if err == nil && k.c.set.AlsoToKafka { // the last owner may not have come to say it, and there may be nothing to do from here
			k.Commit(actors.Progress{Next: start.Next}, false, nil)
		}
		return start, err
	}
	found, err := k.c.committed(ctx, k.place(), false)
	if err != nil {
		return supervisor.Start{}, err
	}
	at := found[k.claim.Partition]
	about := offsets.Unknown
	var note metadata.Note
	if at != nil {
		note = k.read(at)
		about = k.beyond(at.Offset, &note)
	}
	log, err := k.span(ctx, about)
	if err != nil {
		return supervisor.Start{}, err
	}
	if at == nil {
		return k.startAfresh(ctx, log)
	}
	k.carry(note.Partitions)
	if log.holds(at.Offset) {
		k.trust(at.Offset, about, log, &note)
		return supervisor.Start{Next: at.Offset, Progress: note.Progress(at.Offset)}, nil
	}
	moved, err := k.move(ctx, at.Offset, log, "committed offset")
	if err == nil && k.c.set.OutOfRange == offsets.Latest {
		err = k.settle(ctx, moved.Next)
	}
	return moved, err
}

// read is the note beside a committed offset.
func (k *claim) read(at *sarama.OffsetFetchResponseBlock) metadata.Note {
	note, err := metadata.Decode(at.Metadata)
	if err != nil {
		k.c.set.Logger.Warn("the committed offset's metadata carries nothing", slog.String("claim", k.claim.String()),
			slog.Int64("offset", at.Offset), slog.Any("error", err))
	}
	return note
}

// startAfresh begins where the start choice says.
func (k *claim) startAfresh(ctx context.Context, log span) (supervisor.Start, error) {
	choice := k.c.set.Start
	switch choice {
	case offsets.Fail:
		return supervisor.Start{}, &supervisor.OutOfRangeError{Offset: offsets.Unknown, Err: &NoOffsetError{k.c.set.Group}}
	case offsets.Latest:
		return k.startLatest(ctx, log)
	}
	return k.startBy(ctx, choice, log)
}

// startBy begins where a choice other than Fail says.
func (k *claim) startBy(ctx context.Context, choice offsets.Choice, log span) (supervisor.Start, error) {
	next, err := k.resolve(ctx, choice, log)
	return startAt(next), err
}

// move applies the out-of-range choice.
func (k *claim) move(ctx context.Context, from int64, log span, what string) (supervisor.Start, error) {
	choice := k.c.set.OutOfRange
	if choice == offsets.Fail {
		return supervisor.Start{}, log.outside(from)
	}
	start, err := k.startBy(ctx, choice, log)
	start.Moved = &messages.Moved{Claim: k.claim, From: from, To: start.Next, Why: fmt.Sprintf(
		"the %s is out of range (%v), and Offsets.OutOfRange is %v", what, log, choice)}
	return start, err
}

// settle commits a position that could not be found again, and waits for the acknowledgement: also where the topic is not
// there, because it may be so new that nobody knows it.
func (k *claim) settle(ctx context.Context, next int64) error {
	k.Commit(actors.Progress{Next: next}, true, nil)
	return k.flush(ctx, nil)
}

func (k *claim) place() place { return place{k.claim.Topic, k.claim.Partition} }

// startAt begins at next, with nothing carried over.
func startAt(next int64) supervisor.Start {
	return supervisor.Start{Next: next, Progress: actors.Progress{Next: next}}
}
