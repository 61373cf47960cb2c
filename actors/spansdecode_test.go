package actors_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	. "github.com/ottla-go/ottla/actors"
)

func varints(form byte, numbers ...uint64) []byte {
	raw := []byte{form}
	for _, n := range numbers {
		raw = binary.AppendUvarint(raw, n)
	}
	return raw
}

// What was not written by EncodeSpans is an error, and nothing is finished by it.
func TestDamagedSpansAreRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		next int64
		raw  []byte
	}{
		{"no form", 5, []byte{0, 1, 1}},
		{"a later form", 5, []byte{4, 1, 1}},
		{"a negative position", -1, []byte{1, 1, 1}},
		{"more bytes than are read", 5, append([]byte{2}, bytes.Repeat([]byte{0xff}, MaxSpans)...)},

		{"no runs", 5, []byte{1}},
		{"half a pair", 5, []byte{1, 1, 1, 1}},
		{"a number that ends early", 5, []byte{1, 1, 0x80}},
		{"a number that takes more bytes than it needs", 5, []byte{1, 1, 0x81, 0}},
		{"a number beyond 64 bits", 5, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}},
		{"no gap: next itself is finished", 5, []byte{1, 0, 1}},
		{"a run of nothing", 5, []byte{1, 1, 0}},
		{"a gap beyond the last offset", 5, varints(1, math.MaxUint64, 1)},
		{"a gap up to the last offset", 5, varints(1, math.MaxInt64-5, 1)},
		{"a run beyond the last offset", 5, varints(1, 1, math.MaxUint64)},
		{"two runs that are beyond it together", 5, varints(1, 1<<62, 1<<62)},

		{"no bits", 5, []byte{2}},
		{"no bit", 5, []byte{2, 0}},
		{"zeros behind the bits", 5, []byte{2, 1, 0}},
		{"bits beyond the last offset", math.MaxInt64 - 4, []byte{2, 8}},

		{"Rice codes without a parameter", 5, []byte{3, 0}},
		{"no Rice codes", 5, []byte{3, 0, 0}},
		{"no Rice code but zeros", 5, []byte{3, 0, 0, 0}},
		{"a parameter that is too high", 5, []byte{3, 32, 0, 0x80, 0, 0, 0, 0x40}},
		{"the other one too high", 5, []byte{3, 0, 32, 0xc0, 0, 0, 0, 0}},
		{"half a pair of Rice codes", 5, []byte{3, 0, 0, 0b11100000}},
		{"a Rice code that ends early", 5, []byte{3, 0, 4, 0b11000110}},
		{"a byte of zeros behind Rice codes", 5, []byte{3, 0, 0, 0b11000000, 0}},
		{"Rice codes beyond the last offset", math.MaxInt64 - 3, []byte{3, 0, 0, 0b11110000}},
	} {
		if spans, err := DecodeSpans(c.next, c.raw); err == nil || spans != nil {
			t.Errorf("%s: %v, %v", c.text, spans, err)
		}
	}
	if spans, err := DecodeSpans(5, nil); err != nil || spans != nil {
		t.Errorf("nothing: %v, %v", spans, err)
	}
}

// At the limits it is still read.
func TestSpansAtTheLimits(t *testing.T) {
	for _, c := range []struct {
		text string
		next int64
		raw  []byte
		want []Span
	}{
		{"the last offset", 5, varints(1, 1, math.MaxInt64-6), []Span{{6, math.MaxInt64 - 1}}},
		{"the last bit", math.MaxInt64 - 4, []byte{2, 4}, []Span{{math.MaxInt64 - 1, math.MaxInt64 - 1}}},
		{"the last Rice code", math.MaxInt64 - 3, []byte{3, 0, 0, 0b11000000}, []Span{{math.MaxInt64 - 2, math.MaxInt64 - 2}}},
		{"as many bytes as are read", 5, append([]byte{2}, bytes.Repeat([]byte{0xff}, MaxSpans-1)...), []Span{{6, 5 + 8*(MaxSpans-1)}}},
	} {
		if spans, err := DecodeSpans(c.next, c.raw); err != nil || !slices.Equal(spans, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.text, spans, err, c.want)
		}
	}
	most, err := DecodeSpans(5, append([]byte{2}, bytes.Repeat([]byte{0xaa}, MaxSpans-1)...))
	if err != nil || len(most) != 4*(MaxSpans-1) {
		t.Errorf("%d spans, %v", len(most), err)
	}
}

// Whatever a broker hands out: no panic, and what is read is sound, and comes back when it is written again.
func FuzzDecodeSpans(f *testing.F) {
	for _, spans := range [][]Span{{{6, 300}}, {{7, 7}, {9, 10}, {12, 14}}, shape(400, func(at int64) bool { return at%20 > 0 })} {
		f.Add(int64(0), EncodeSpans(0, spans))
	}
	f.Add(int64(5), varints(1, 1, 1<<62))
	f.Add(int64(math.MaxInt64-9), []byte{2, 0xff, 0xff})
	f.Add(int64(5), []byte{3, 31, 31, 0xff, 0, 0, 1})
	f.Fuzz(func(t *testing.T, next int64, raw []byte) {
		spans, err := DecodeSpans(next, raw)
		if err != nil {
			if spans != nil {
				t.Fatalf("%v and %v", spans, err)
			}
			return
		}
		from := next
		for _, s := range spans {
			if s.First <= from || s.Last < s.First || s.Last == math.MaxInt64 {
				t.Fatalf("unsound behind %d: %v", next, spans)
			}
			from = s.Last + 1
		}
		again := EncodeSpans(next, spans)
		back, err := DecodeSpans(next, again)
		if err != nil || !slices.Equal(back, spans) {
			t.Fatalf("%v became %v: %v", spans, back, err)
		}
	})
}
