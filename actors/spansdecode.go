package actors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// MaxSpans is how many bytes DecodeSpans reads at most: far more than a commit's metadata holds, and so few that a
// hostile string makes no more than some megabytes of spans.
const MaxSpans = 64 << 10

var (
	errSpansEnd     = errors.New("it ends early, or goes on behind its end")
	errSpansRange   = errors.New("a run has no length, or reaches beyond the last offset there can be")
	errSpansUnknown = errors.New("it is of a form that this version does not know")
)

// DecodeSpans reads what EncodeSpans wrote with the same next. An error says that nothing can be taken for finished.
// What it answers ascends, does not touch, and lies behind next, whatever it read. It never panics.
func DecodeSpans(next int64, raw []byte) (spans []Span, err error) {
	switch {
	case len(raw) == 0:
		return nil, nil
	case next < 0:
		err = errSpansRange
	case len(raw) > MaxSpans:
		err = fmt.Errorf("it has %d bytes, at most %d are read", len(raw), MaxSpans)
	case raw[0] == spansAsRuns:
		spans, err = decodeRuns(next, raw[1:])
	case raw[0] == spansAsBits:
		spans, err = decodeBits(next, raw[1:])
	case raw[0] == spansAsRice:
		spans, err = decodeRice(next, raw[1:])
	default:
		err = errSpansUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("ottla: what is finished beyond offset %d cannot be read: %w", next, err)
	}
	return spans, nil
}

// another adds a span of run offsets behind gap unfinished ones from the offset from on; false: there is no such span.
func another(spans []Span, from int64, gap, run uint64) (_ []Span, next int64, ok bool) {
	room := uint64(math.MaxInt64 - from)
	if gap == 0 || run == 0 || gap >= room || run > room-gap {
		return nil, 0, false
	}
	first := from + int64(gap)
	next = first + int64(run)
	return append(spans, Span{first, next - 1}), next, true
}

func decodeRuns(from int64, raw []byte) (spans []Span, err error) {
	if len(raw) == 0 {
		return nil, errSpansEnd
	}
	for len(raw) > 0 {
		var ok bool
		var pair [2]uint64
		for i := range pair {
			n, used := binary.Uvarint(raw)
			if used <= 0 || used != varint(n) { // a longer form of the same number was not written here
				return nil, errSpansEnd
			}
			pair[i], raw = n, raw[used:]
		}
		if spans, from, ok = another(spans, from, pair[0], pair[1]); !ok {
			return nil, errSpansRange
		}
	}
	return spans, nil
}

func decodeBits(next int64, set []byte) (spans []Span, err error) {
	if len(set) == 0 || set[len(set)-1] == 0 {
		return nil, errSpansEnd
	}
	last := 8*len(set) - bits.LeadingZeros8(set[len(set)-1])
	if int64(last) >= math.MaxInt64-next {
		return nil, errSpansRange
	}
	for i, b := range set {
		for b != 0 {
			at := next + 1 + int64(8*i+bits.TrailingZeros8(b))
			if n := len(spans) - 1; n >= 0 && spans[n].Last == at-1 {
				spans[n].Last = at
			} else {
				spans = append(spans, Span{at, at})
			}
			b &= b - 1
		}
	}
	return spans, nil
}

func decodeRice(from int64, raw []byte) (spans []Span, err error) {
	if len(raw) < 3 || raw[0] > mostRice || raw[1] > mostRice {
		return nil, errSpansEnd
	}
	r := bitReader{raw: raw[2:]}
	for !r.padding() {
		var ok bool
		gap, whole := r.code(int(raw[0]))
		run, wholeToo := r.code(int(raw[1]))
		if !whole || !wholeToo {
			return nil, errSpansEnd
		}
		if spans, from, ok = another(spans, from, gap+1, run+1); !ok {
			return nil, errSpansRange
		}
	}
	if len(spans) == 0 {
		return nil, errSpansEnd
	}
	return spans, nil
}
