package committer

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
)

// The log holds 50 to 99, and five more in a transaction that is open. What an earlier owner has finished beyond the
// committed offset begins with the claim, unless the log does not reach so far any more, or it cannot be read.
func TestStartWithWhatIsFinishedBeyond(t *testing.T) {
	spans := func(last int64) []actors.Span { return []actors.Span{{First: 62, Last: 70}, {First: 90, Last: last}} }
	for _, c := range []struct {
		text      string
		committed int64
		finished  []byte
		want      []actors.Span
		said      string
	}{
		{"nothing", 60, nil, nil, ""},
		{"within the log", 60, actors.EncodeSpans(60, spans(95)), spans(95), ""},
		{"up to its end", 60, actors.EncodeSpans(60, spans(99)), spans(99), ""},
		{"up to the end of an open transaction", 60, actors.EncodeSpans(60, spans(104)), spans(104), ""},
		{"beyond the log", 60, actors.EncodeSpans(60, spans(105)), nil, "finished=105"},
		{"of a later version", 60, []byte{200, 1, 2, 3}, nil, "a form that this version does not know"},
		{"damaged", 60, []byte{1, 1}, nil, "ends early"},
		{"where retention has overtaken the offset", 40, actors.EncodeSpans(40, spans(95)), nil, ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				b.offsets[orders(0)] = block{c.committed, encoded(t, metadata.Note{Attempt: 4, Finished: c.finished})}
				x := newBench(t, b, withLog(&logRange{first: 50, end: 100, open: 5, count: 1}), func(s *Settings) { s.OutOfRange = offsets.Earliest })
				k := x.claim(orders(0))
				start, err := k.Start(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				attempts, next := 4, c.committed
				if c.committed < 50 {
					attempts, next = 0, 50
				}
				got, err := actors.DecodeSpans(start.Next, start.Progress.Finished)
				if err != nil || !slices.Equal(got, c.want) || start.Next != next || start.Progress.Attempt != attempts {
					t.Errorf("starts at %+v with %v, %v, want %v", start, got, err, c.want)
				}
				if logs := x.logs.String(); c.said == "" && logs != "" || !strings.Contains(logs, c.said) || c.said != "" && !strings.Contains(logs, "handled again") {
					t.Errorf("logged\n%s\nwant %q", logs, c.said)
				}
			})
		})
	}
}

// What one owner commits, the next one begins with.
func TestFinishedBeyondFromOwnerToOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), withLog(&logRange{first: 50, end: 100, count: 1}))
		first := x.claim(orders(0))
		want := beyond(60, actors.Span{First: 62, Last: 70}, actors.Span{First: 72, Last: 72})
		want.Attempt, want.Parked, want.Reason = 2, true, "poison"
		first.Commit(want, true, nil)
		if err := first.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Close()
		start, err := x.claim(orders(0)).Start(t.Context())
		if err != nil || !start.Progress.Equal(want) {
			t.Errorf("starts with %+v, %v, want %+v", start.Progress, err, want)
		}
	})
}
