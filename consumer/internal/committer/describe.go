package committer

import (
	"log/slog"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
)

// describe is the metadata that goes with a claim's offset, in what the brokers are known to take: what they have refused
// once is not tried again, so a limit of theirs costs one request and not one for each commit.
//
// Where what is finished beyond the offset has to be left out, that is said once: for each claim where it should never have
// become that long, and for all of them where the brokers take less than they do by default.
func (c *Committer) describe(k *claim, p actors.Progress) string {
	n := metadata.Of(p)
	n.Partitions = k.origin()
	meta, without := metadata.Fit(n, c.tooLong)
	switch {
	case !without:
	case len(p.Finished) > metadata.FinishedMost:
		if !k.overlong {
			k.overlong = true
			c.set.Logger.Warn("what is finished beyond the committed offset does not fit into the commit's metadata: the offset is committed without it, and whoever owns the partition next handles those records again",
				slog.String("claim", k.claim.String()), slog.Int64("offset", p.Next),
				slog.Int("bytes", len(p.Finished)), slog.Int("most", metadata.FinishedMost))
		}
	case !c.curtailed:
		c.curtailed = true
		c.set.Logger.Warn("the brokers refuse the metadata that says what is finished beyond a committed offset: offsets are committed without it, and whoever owns a partition next handles those records again; raise the brokers' offset.metadata.max.bytes to 4096, its default, and start the consumer anew",
			slog.String("claim", k.claim.String()), slog.Int64("offset", p.Next), slog.Int("refused", c.tooLong))
	}
	return meta
}
