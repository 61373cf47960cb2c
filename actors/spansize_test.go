package actors_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/ottla-go/ottla/actors"
)

// shape covers n offsets from 0 on, which is not finished; of the others done says it.
func shape(n int64, done func(at int64) bool) []Span {
	var c Cover
	c.Unfinished(0)
	for at := int64(1); at < n; at++ {
		if done(at) {
			c.Finished(at)
		} else {
			c.Unfinished(at)
		}
	}
	return c.Spans()
}

// otherSizes are what simpler forms take: run lengths, a bit set, and a bit set whose bytes are run-length encoded.
func otherSizes(spans []Span) (runs, bits, byteRuns int) {
	set := make([]byte, (spans[len(spans)-1].Last+7)/8)
	runs, byteRuns = 1, 1
	from := int64(0)
	varint := func(n int64) int { return len(binary.AppendUvarint(nil, uint64(n))) }
	for _, s := range spans {
		runs += varint(s.First-from) + varint(s.Last-s.First+1)
		from = s.Last + 1
		for at := s.First - 1; at < s.Last; at++ {
			set[at/8] |= 1 << (at % 8)
		}
	}
	same := func(i int) (n int) {
		for i+n < len(set) && set[i+n] == set[i] {
			n++
		}
		return n
	}
	for i := 0; i < len(set); {
		n := same(i)
		if n > 2 { // how many, and the byte
			byteRuns += varint(int64(n)<<1) + 1
			i += n
			continue
		}
		for n = 0; i+n < len(set) && same(i+n) <= 2; {
			n++
		}
		byteRuns += varint(int64(n)<<1) + n // how many, and the bytes
		i += n
	}
	return runs, 1 + len(set), byteRuns
}

// The figures in the comment on EncodeSpans: go test -run TestEncodedSizes -v ./actors
func TestEncodedSizes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	allBut := func(oneIn int64) func(int64) bool { return func(int64) bool { return rnd.Int64N(oneIn) > 0 } }
	for _, c := range []struct {
		text  string
		spans []Span
		size  int
		form  byte
	}{
		{"10,000 records, 1 in 10 not finished", shape(10_000, allBut(10)), 647, 3},
		{"10,000 records, 1 in 100 not finished", shape(10_000, allBut(100)), 126, 3},
		{"10,000 records, 1 in 1,000 not finished", shape(10_000, allBut(1000)), 22, 3},
		{"100 in flight, half of them finished", shape(100, allBut(2)), 14, 2},
		{"10,000 records, every second finished", shape(10_000, func(at int64) bool { return at%2 == 0 }), 1251, 2},
		{"10,000 finished behind one", shape(10_000, func(int64) bool { return true }), 4, 1},
	} {
		raw := EncodeSpans(0, c.spans)
		runs, bits, byteRuns := otherSizes(c.spans)
		t.Logf("%-40s form %d: %5d bytes; runs %5d, bits %5d, runs of its bytes %5d", c.text, raw[0], len(raw), runs, bits, byteRuns)
		if len(raw) != c.size || raw[0] != c.form {
			t.Errorf("%s: %d bytes in form %d, want %d in form %d", c.text, len(raw), raw[0], c.size, c.form)
		}
		if len(raw) > min(runs, bits) {
			t.Errorf("%s: %d bytes, but %d or %d would do", c.text, len(raw), runs, bits)
		}
	}
}

// room is what a commit's metadata has for what is finished beyond the offset, about.
const room = 2981

// The figures in docs/offsets.md: how far a partition runs on behind the first record of a parked key, one in so many
// having that key, at random, while a hundred others are in flight: until the bound does not fit. What is encoded then is
// not much less: the bound is tight.
//
//	go test -run TestReachBehindAParkedKey -v ./actors
func TestReachBehindAParkedKey(t *testing.T) {
	const inFlight = 100
	for _, c := range []struct{ oneIn, least int64 }{{10, 30_000}, {100, 200_000}, {1000, 1_500_000}, {10_000, 10_000_000}} {
		rnd := rand.New(rand.NewPCG(uint64(c.oneIn), 1))
		var cover Cover
		at, parked := int64(0), 0
		for next := int64(0); SpansBound(next, parked+1+inFlight) <= room; {
			cover.Unfinished(next)
			at, parked = next, parked+1
			next += 1 + int64(math.Log(1-rnd.Float64())/math.Log(1-1/float64(c.oneIn))) // to the next one of that key
			if next > at+1 {
				cover.Finished(next - 1)
			}
		}
		raw := EncodeSpans(0, cover.Spans())
		t.Logf("1 in %6d: %10d offsets, %5d of them parked, %d bytes in form %d", c.oneIn, at, parked, len(raw), raw[0])
		if at < c.least {
			t.Errorf("1 in %d: intake stops after %d offsets, want %d at least", c.oneIn, at, c.least)
		}
		if len(raw) > room || len(raw) < room*85/100 {
			t.Errorf("1 in %d: %d bytes where the bound is %d", c.oneIn, len(raw), room)
		}
	}
}
