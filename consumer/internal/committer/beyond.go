package committer

import (
	"log/slog"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
)

// beyond is the offset behind all that is finished, which is the committed one where nothing is finished beyond it. What
// cannot be read, of a later version or damaged, is taken out of the note: those records are handled again.
func (k *claim) beyond(committed int64, note *metadata.Note) int64 {
	spans, err := actors.DecodeSpans(committed, note.Finished)
	if err != nil {
		k.again(committed, note, slog.Any("error", err))
	}
	if len(spans) == 0 {
		return committed
	}
	return spans[len(spans)-1].Last + 1
}

// trust takes what is finished beyond the offset out of the note if the log does not reach so far. It is not the log then
// that it was: say 100 is committed and 200 to 299 are finished, and a broker that lags behind becomes the leader uncleanly,
// with a log that ends at 150. The next record that is produced is 150, and the ones that get 200 to 299 were never handled.
func (k *claim) trust(committed, behind int64, log span, note *metadata.Note) {
	if behind > max(log.high, committed) {
		k.again(committed, note, slog.Int64("finished", behind-1), slog.String("log", log.String()))
	}
}

func (k *claim) again(committed int64, note *metadata.Note, why ...any) {
	note.Finished = nil
	k.c.set.Logger.Warn("what was finished beyond the committed offset cannot be made out, and is handled again",
		append([]any{slog.String("claim", k.claim.String()), slog.Int64("offset", committed)}, why...)...)
}
