package actors_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/ottla-go/ottla/actors"
)

// twin is what is dispatched of a partition, as a list: the naive twin of spans.
type twin struct {
	offsets  []int64 // of records, ascending
	finished map[int64]bool
}

// next is the first offset that is not finished.
func (w twin) next() int64 {
	for _, o := range w.offsets {
		if !w.finished[o] {
			return o
		}
	}
	return w.offsets[len(w.offsets)-1] + 1
}

func (w twin) unfinished() (n int) {
	for _, o := range w.offsets {
		if !w.finished[o] {
			n++
		}
	}
	return n
}

func (w twin) spans() []Span {
	var c Cover
	for _, o := range w.offsets {
		switch {
		case o < w.next():
		case w.finished[o]:
			c.Finished(o)
		default:
			c.Unfinished(o)
		}
	}
	return c.Spans()
}

func (w twin) bound() int {
	return SpansBound(w.offsets[len(w.offsets)-1]-w.next(), w.unfinished())
}

// check: what is encoded comes back, covers the finished records behind next and no unfinished one, and is within the
// bound.
func (w twin) check(t *testing.T, bound int) {
	t.Helper()
	next := w.next()
	spans := w.spans()
	raw := EncodeSpans(next, spans)
	got, err := DecodeSpans(next, raw)
	if err != nil || !slices.Equal(got, spans) {
		t.Fatalf("from %d: %v became %v: %v", next, spans, got, err)
	}
	for _, o := range w.offsets {
		covered := slices.ContainsFunc(got, func(s Span) bool { return s.First <= o && o <= s.Last })
		if covered != (w.finished[o] && o > next) {
			t.Fatalf("from %d: record %d is covered: %v, finished: %v, by %v", next, o, covered, w.finished[o], got)
		}
	}
	if len(raw) > bound {
		t.Fatalf("from %d: %v takes %d bytes (form %d), the bound was %d", next, spans, len(raw), raw[0], bound)
	}
}

// Nine records without holes, and with holes of three kinds: every set of them is finished, and then every set of the
// rest.
func TestEverySubsetIsWithinTheBound(t *testing.T) {
	for _, holes := range []func(i int) int64{
		func(i int) int64 { return int64(i) },
		func(i int) int64 { return int64(2 * i) },
		func(i int) int64 { return int64(i + i/3*200) },
		func(i int) int64 { return int64(i * i * i * 5000) },
	} {
		const n = 9
		w := twin{finished: map[int64]bool{}}
		for i := range n {
			w.offsets = append(w.offsets, 100+holes(i))
		}
		set := func(s int) {
			for i, o := range w.offsets {
				w.finished[o] = s>>i&1 == 1
			}
		}
		for now := range 1 << n {
			set(now)
			bound := w.bound()
			for later := range 1 << n {
				if later&now == now {
					set(later)
					w.check(t, bound)
				}
			}
		}
	}
}

// Large random sets: of many densities, finished in runs or one by one, and then more of them finished.
func TestRandomSetsAreWithinTheBound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 1))
	for range 500 {
		w := twin{finished: map[int64]bool{}}
		at := rnd.Int64N(1 << 40)
		hole := 1 + rnd.Int64N(1<<rnd.IntN(12))
		density, sticky := rnd.Float64(), rnd.Float64()
		if rnd.IntN(2) == 0 {
			density *= density * density
		}
		last := false
		for range 1 + rnd.IntN(300) {
			w.offsets = append(w.offsets, at)
			if rnd.Float64() > sticky {
				last = rnd.Float64() >= density
			}
			w.finished[at] = last
			at += 1 + rnd.Int64N(hole)
		}
		bound := w.bound()
		w.check(t, bound)
		for _, p := range []float64{0.1, 0.5, 0.9} {
			for _, o := range w.offsets {
				w.finished[o] = w.finished[o] || rnd.Float64() < p
			}
			w.check(t, bound)
		}
	}
}

// The bound never falls while more is dispatched or less is finished.
func TestBoundGrows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 2))
	for range 200_000 {
		span, unfinished := rnd.Int64N(1<<(1+rnd.IntN(40))), rnd.IntN(1<<(1+rnd.IntN(20)))
		b := SpansBound(span, unfinished)
		if more := SpansBound(span+1, unfinished); more < b {
			t.Fatalf("%d offsets, %d unfinished: %d bytes; one offset more: %d", span, unfinished, b, more)
		}
		if more := SpansBound(span, unfinished+1); more < b {
			t.Fatalf("%d offsets, %d unfinished: %d bytes; one unfinished more: %d", span, unfinished, b, more)
		}
	}
	for _, c := range []struct {
		span       int64
		unfinished int
		want       int
	}{
		{0, 1, 0}, {-1, 1, 0}, {100, 0, 0}, // nothing can be finished behind next
		{1, 1, 2}, {100, 1, 3},
		{math.MaxInt64 - 1, 1, 11},
		{math.MaxInt64 - 1, math.MaxInt, math.MaxInt32},
	} {
		if got := SpansBound(c.span, c.unfinished); got != c.want {
			t.Errorf("%d offsets, %d unfinished: %d, want %d", c.span, c.unfinished, got, c.want)
		}
	}
}

// Spans that break what they promise are not written: nothing is finished by mistake.
func TestUnsoundSpansAreNotWritten(t *testing.T) {
	for _, c := range []struct {
		text  string
		next  int64
		spans []Span
	}{
		{"none", 5, nil},
		{"before next", 5, []Span{{3, 4}}},
		{"next itself", 5, []Span{{5, 6}}},
		{"backwards", 5, []Span{{8, 7}}},
		{"descending", 5, []Span{{10, 11}, {7, 8}}},
		{"overlapping", 5, []Span{{7, 10}, {10, 12}}},
		{"adjacent", 5, []Span{{7, 10}, {11, 12}}},
		{"up to the last offset that a number can be", 5, []Span{{7, math.MaxInt64}}},
		{"a negative position", -1, []Span{{7, 8}}},
	} {
		if raw := EncodeSpans(c.next, c.spans); raw != nil {
			t.Errorf("%s: %x", c.text, raw)
		}
	}
}

// These bytes are stored in users' clusters: every later version has to read them.
func TestStoredSpansAreFixed(t *testing.T) {
	parked := func(n, every int64) (spans []Span) { // one of every is not finished
		for i := range n {
			spans = append(spans, Span{i*every + 1, i*every + every - 1})
		}
		return spans
	}
	for _, c := range []struct {
		text  string
		spans []Span
		want  []byte
	}{
		{"one run", []Span{{1, 300}}, []byte{1, 1, 0xac, 0x02}},
		{"two runs far apart", []Span{{5, 5}, {1000, 1000}}, []byte{1, 5, 1, 0xe2, 0x07, 1}},
		{"bits", []Span{{1, 1}, {3, 4}, {6, 8}, {10, 10}}, []byte{2, 0b1110_1101, 0b10}},
		{"Rice codes", parked(7, 20), []byte{3, 0, 3, 0b1_001_010_1, 0b001_010_1_0, 0b01_010_1_00, 0b1_010_1_001, 0b010_1_001_0, 0b10_1_001_01, 0}},
	} {
		got := EncodeSpans(0, c.spans)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, want % x", c.text, got, c.want)
		}
		if back, err := DecodeSpans(0, c.want); err != nil || !slices.Equal(back, c.spans) {
			t.Errorf("%s: read as %v, %v, want %v", c.text, back, err, c.spans)
		}
	}
}

// Huge runs cost no work: they are numbers.
func TestHugeRuns(t *testing.T) {
	for _, spans := range [][]Span{
		{{1, math.MaxInt64 - 1}},
		{{1 << 62, 1<<62 + 1<<61}},
		{{2, 2}, {1 << 60, 1 << 61}, {1<<61 + 2, 1<<61 + 2}},
	} {
		raw := EncodeSpans(0, spans)
		if got, err := DecodeSpans(0, raw); err != nil || !slices.Equal(got, spans) || len(raw) > 40 {
			t.Errorf("%v became %v in %d bytes: %v", spans, got, len(raw), err)
		}
	}
}
