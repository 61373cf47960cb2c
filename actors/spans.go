package actors

import (
	"encoding/binary"
	"math"
)

// Span is a run of offsets, First and Last included, in which no record is unfinished. Offsets that hold no record, a
// transaction's marker or what compaction has removed, may lie in it; a [Cover] makes spans as long as they can be.
type Span struct{ First, Last int64 }

// The first byte of what EncodeSpans writes. These numbers are part of what is stored and never change; another form
// gets another number, and who does not know it takes nothing for finished.
const (
	spansAsRuns = 1 // run lengths as varints: unfinished from next on, finished, unfinished, …, finished
	spansAsBits = 2 // a bit for each offset behind next, the lowest bit of a byte first
	spansAsRice = 3 // run lengths less one as Rice codes, with one parameter for each kind of run
)

// mostRice is the highest parameter of a Rice code.
const mostRice = 31

// EncodeSpans writes what is finished beyond next, the offset that is committed. The spans ascend, do not touch each
// other, and lie behind next. Spans that do not are not written at all, and no spans are nil: a record that is handled
// again is better than one that never is.
//
// It takes the smallest of three forms; the first byte says which. Bytes, by TestEncodedSizes:
//
//	                                          runs   bits  Rice codes  runs of the bit set's bytes
//	10,000 records, 1 in 10 not finished     1,741  1,251         647                        1,221
//	10,000 records, 1 in 100 not finished      244  1,251         126                          388
//	10,000 records, 1 in 1,000 not finished     36  1,251          22                           56
//	100 in flight, half of them finished        59     14          27                           15
//	10,000 records, every second finished    9,999  1,251       1,878                            6
//	10,000 finished behind one                   4  1,251           6                            6
//
// The last form is not one of them. It helps where a pattern repeats exactly, and nobody can count on that beforehand:
// intake has to stop before the worst that may come of what is dispatched does not fit.
func EncodeSpans(next int64, spans []Span) []byte {
	if len(spans) == 0 {
		return nil
	}
	s, sound := survey(next, spans)
	if !sound {
		return nil
	}
	bits := 1 + s.bits()
	rice, gaps, runs := s.rice(next, spans)
	switch rice += 3; {
	case s.varints+1 <= min(bits, rice):
		return encodeRuns(int(s.varints+1), next, spans)
	case bits <= rice:
		return encodeBits(int(bits), next, spans)
	default:
		return encodeRice(int(rice), gaps, runs, next, spans)
	}
}

// surveyed are sums over the runs of unfinished and of finished offsets, which alternate.
type surveyed struct {
	pairs       uint64 // of a run of each
	unfinished  uint64 // offsets
	finished    uint64
	varints     uint64 // bytes that the lengths take
	behind, end int64  // from the offset that is committed to that behind the last span
}

// survey answers false where the spans cannot be written.
func survey(next int64, spans []Span) (s surveyed, sound bool) {
	s.pairs, s.behind = uint64(len(spans)), next
	from := next
	for _, span := range spans {
		if next < 0 || span.First <= from || span.Last < span.First || span.Last == math.MaxInt64 {
			return s, false
		}
		gap, run := lengths(from, span)
		s.unfinished += gap
		s.finished += run
		s.varints += uint64(varint(gap) + varint(run))
		from = span.Last + 1
	}
	s.end = from
	return s, true
}

// lengths of the run of unfinished offsets that begins at from, and of the span behind it.
func lengths(from int64, span Span) (gap, run uint64) {
	return uint64(span.First - from), uint64(span.Last-span.First) + 1
}

// bits is how many bytes the bit set takes.
func (s surveyed) bits() uint64 { return (uint64(s.end-1-s.behind) + 7) / 8 }

// varint is how many bytes n takes.
func varint(n uint64) (bytes int) {
	for bytes = 1; n >= 0x80; bytes++ {
		n >>= 7
	}
	return bytes
}

func encodeRuns(size int, next int64, spans []Span) []byte {
	raw := append(make([]byte, 0, size), spansAsRuns)
	for _, span := range spans {
		gap, run := lengths(next, span)
		raw = binary.AppendUvarint(raw, gap)
		raw = binary.AppendUvarint(raw, run)
		next = span.Last + 1
	}
	return raw
}

func encodeBits(size int, next int64, spans []Span) []byte {
	raw := make([]byte, size)
	raw[0] = spansAsBits
	set := raw[1:]
	for _, span := range spans {
		for at := span.First - next - 1; at <= span.Last-next-1; at++ {
			set[at/8] |= 1 << (at % 8)
		}
	}
	return raw
}
