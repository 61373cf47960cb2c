package actors

import "math"

// SpansBound is how many bytes EncodeSpans takes at most, whichever of the dispatched records are finished by then, as
// long as none more is dispatched. span is the highest dispatched offset less the one that is committed; unfinished is
// how many dispatched records are not finished now, the one at the committed offset included. It grows with both: what
// finishes can only lower it.
//
// The spans are those of a [Cover]: between two of them, and before the first, lie unfinished records only. What an
// earlier owner has finished counts as dispatched up to the last of its spans, and each offset between them that was not
// received yet as an unfinished record.
//
// It is the smallest of three bounds, one for each form. With s offsets from the committed one on and u unfinished
// records there are r <= u spans, because an unfinished record lies before each, and r <= s/2. The gaps have at most u
// offsets together, and the spans' lengths add up to s-r at most.
//
//   - bits: one for each offset behind the committed one.
//   - varints: the gaps take u bytes at most, because a number below n has never more than n bytes. A length costs a
//     byte, a second one 127 offsets more, a third one 16,256: as each costs more than the one before, most bytes come of
//     giving every length its second byte first, and so on.
//   - Rice codes: the gaps with parameter 0 take a bit for each of their offsets, so u; lengths with k take 1+k bits each,
//     and one more for each 2^k offsets of what is left, s-2r. From k = 1 on this grows with r, so r is as high as can be.
//     EncodeSpans takes the parameters that make it smallest, or better ones.
func SpansBound(span int64, unfinished int) int {
	if span <= 0 || unfinished <= 0 {
		return 0
	}
	set := 1 + (uint64(span)+7)/8
	if unfinished >= math.MaxInt32 {
		return int(min(set, math.MaxInt32))
	}
	s := uint64(span) + 1
	u := min(uint64(unfinished), s)
	r := min(u, s/2)
	runs := 1 + u + mostVarints(r, s-r)
	excess, k := s-2*r, max(parameter(s-2*r, r), 1)
	rice := 3 + (u+r*uint64(1+k)+excess>>k+7)/8
	return int(min(set, runs, rice, math.MaxInt32))
}

// mostVarints is how many bytes n numbers take at most, each at least 1, that add up to sum.
func mostVarints(n, sum uint64) (bytes uint64) {
	bytes, sum = n, sum-n
	for low := uint64(1); n > 0; {
		high := low << 7
		cost := high - low
		if n = min(n, sum/cost); n > 0 {
			bytes, sum = bytes+n, sum-n*cost
		}
		if low = high; low == 1<<63 {
			break
		}
	}
	return bytes
}
