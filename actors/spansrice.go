package actors

// A Rice code with parameter k writes n as n>>k zeros, a one, and the k lowest bits of n, the highest first. For lengths
// of runs between things that come at random, it takes a few hundredths more than is possible at all. The bits are
// written from the highest of a byte to its lowest; what is left of the last byte is zeros, which begin no code that
// ends.

// rice is how many bytes the codes take, and with which parameters.
//
// The size with k is at most h(k) = pairs * (1+k) + excess / 2^k, where the excess is the sum of what is written, and h
// falls as long as excess / 2^(k+1) > pairs. parameter finds that k or the one below it; three are tried, because the
// codes may do better than h says.
func (s surveyed) rice(next int64, spans []Span) (size uint64, gaps, runs int) {
	firstGaps := max(parameter(s.unfinished-s.pairs, s.pairs)-1, 0)
	firstRuns := max(parameter(s.finished-s.pairs, s.pairs)-1, 0)
	var sums [2][3]uint64 // of the zeros
	for _, span := range spans {
		gap, run := lengths(next, span)
		for i := range 3 {
			sums[0][i] += (gap - 1) >> (firstGaps + i)
			sums[1][i] += (run - 1) >> (firstRuns + i)
		}
		next = span.Last + 1
	}
	best := func(first int, zeros [3]uint64) (bits uint64, k int) {
		for i := range 3 {
			if with := zeros[i] + s.pairs*uint64(1+first+i); first+i <= mostRice && (i == 0 || with < bits) {
				bits, k = with, first+i
			}
		}
		return bits, k
	}
	ofGaps, gaps := best(firstGaps, sums[0])
	ofRuns, runs := best(firstRuns, sums[1])
	return (ofGaps + ofRuns + 7) / 8, gaps, runs
}

// parameter is about the best one for n numbers whose sum is excess.
func parameter(excess, n uint64) (k int) {
	for k < mostRice && excess>>(k+1) > n {
		k++
	}
	return k
}

func encodeRice(size, gaps, runs int, next int64, spans []Span) []byte {
	raw := make([]byte, size)
	raw[0], raw[1], raw[2] = spansAsRice, byte(gaps), byte(runs)
	w := bitWriter{raw: raw[3:]}
	for _, span := range spans {
		gap, run := lengths(next, span)
		w.code(gap-1, gaps)
		w.code(run-1, runs)
		next = span.Last + 1
	}
	return raw
}

// bitWriter writes into zeros.
type bitWriter struct {
	raw []byte
	at  int
}

func (w *bitWriter) code(n uint64, k int) {
	w.at += int(n >> k)
	w.bit(1)
	for k--; k >= 0; k-- {
		w.bit(byte(n>>k) & 1)
	}
}

func (w *bitWriter) bit(b byte) {
	w.raw[w.at/8] |= b << (7 - w.at%8)
	w.at++
}

// bitReader reads what a bitWriter wrote.
type bitReader struct {
	raw []byte
	at  int
}

// padding says that nothing is left but zeros that fill up the last byte.
func (r *bitReader) padding() bool {
	left := 8*len(r.raw) - r.at
	return left == 0 || left < 8 && r.raw[len(r.raw)-1]<<(8-left) == 0
}

// code reads one; false: it ends early, or is no number below 2^63.
func (r *bitReader) code(k int) (n uint64, ok bool) {
	for b := byte(0); b == 0; n++ {
		if b, ok = r.bit(); !ok {
			return 0, false
		}
	}
	if n--; n >= 1<<(63-k) {
		return 0, false
	}
	for ; k > 0; k-- {
		b, more := r.bit()
		if !more {
			return 0, false
		}
		n = n<<1 | uint64(b)
	}
	return n, true
}

func (r *bitReader) bit() (b byte, ok bool) {
	if r.at >= 8*len(r.raw) {
		return 0, false
	}
	b = r.raw[r.at/8] >> (7 - r.at%8) & 1
	r.at++
	return b, true
}
