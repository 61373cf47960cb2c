package supervisor

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Backoff says how long a record waits before its next delivery. The zero value is min(1 h, 10^n s) before
// the n-th retry: 10 s, 1 min 40 s, 16 min 40 s, 1 h, 1 h …, without jitter.
//
// A wait is a hold of the record's partition and never delays a revocation, a shutdown or an operator.
// A Backoff is a value: copy it freely; it is safe for concurrent use.
type Backoff struct {
	// Base is the delay before the first retry. Default (0): 10 s.
	Base time.Duration
	// Factor is what each further delay is multiplied with, 1 or more. Default (0): 10.
	Factor float64
	// Max bounds the delay before jitter. Default (0): 1 h.
	Max time.Duration
	// Jitter spreads the delay over many partitions. Default: NoJitter.
	Jitter Jitter
	// Schedule lists the delays in the place of Base, Factor and Max; the last one repeats. Default: none.
	Schedule []time.Duration
}

// The defaults of a Backoff's fields.
const (
	defaultBase   = 10 * time.Second
	defaultFactor = 10
	defaultMax    = time.Hour
)

// Every waits the same time before each retry; 0 retries at once.
func Every(d time.Duration) Backoff { return Backoff{Schedule: []time.Duration{d}} }

// Quick is the backoff for calls to others: 200 ms, doubled up to 1 min, with full jitter.
func Quick() Backoff {
	return Backoff{Base: 200 * time.Millisecond, Factor: 2, Max: time.Minute, Jitter: FullJitter}
}

// Delay is the time before retry number attempt, where 1 is the first retry, before jitter. It is
// min(Max, Base × Factor^(attempt-1)), exact to the nanosecond (rounded down) for every int: it never
// overflows. An attempt below 1 waits 0.
func (b Backoff) Delay(attempt int) time.Duration {
	if attempt < 1 {
		return 0
	}
	if n := len(b.Schedule); n > 0 {
		return max(0, b.Schedule[min(attempt, n)-1])
	}
	b = b.withDefaults()
	if math.IsInf(b.Factor, 1) && attempt > 1 {
		return b.Max
	}
	d := power(b.Factor, uint64(attempt-1))
	d.Mul(d, new(big.Float).SetInt64(int64(b.Base)))
	if d.Cmp(new(big.Float).SetInt64(int64(b.Max))) >= 0 { // an infinite d, too: beyond big.Float's exponent
		return b.Max
	}
	ns, _ := d.Int64()
	return time.Duration(ns)
}

// withDefaults fills in what is zero and makes what Validate refuses harmless: a policy that was never
// validated waits some time, it does not panic in the middle of a failure.
func (b Backoff) withDefaults() Backoff {
	if b.Base <= 0 {
		b.Base = defaultBase
	}
	if b.Max <= 0 {
		b.Max = defaultMax
	}
	if b.Factor == 0 {
		b.Factor = defaultFactor
	}
	if !(b.Factor >= 1) { // NaN, too
		b.Factor = 1
	}
	return b
}

// powerPrecision keeps Factor^n exact as long as it counts: a delay below 2^63 ns of a factor with few bits
// (1.5, 2, 10) needs at most 171 bits, and the error of 63 squarings in this precision stays below 2^-190.
const powerPrecision = 256

// power is f^n by squaring: at most 64 multiplications for every n, where a loop over n would not end.
func power(f float64, n uint64) *big.Float {
	result := new(big.Float).SetPrec(powerPrecision).SetInt64(1)
	square := new(big.Float).SetPrec(powerPrecision).SetFloat64(f)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result.Mul(result, square)
		}
		square.Mul(square, square)
	}
	return result
}

// Jitter spreads delays, so that partitions that failed together do not come back together.
type Jitter uint8

const (
	// NoJitter waits exactly the delay.
	NoJitter Jitter = iota
	// FullJitter waits a random time between 0 and the delay.
	FullJitter
	// EqualJitter waits half of the delay and a random time up to the other half.
	EqualJitter
)

// String names the jitter as Explain prints it.
func (j Jitter) String() string {
	switch j {
	case NoJitter:
		return "no jitter"
	case FullJitter:
		return "full jitter"
	case EqualJitter:
		return "equal jitter"
	default:
		return fmt.Sprintf("Jitter(%d)", uint8(j))
	}
}

// spread applies the jitter; random is uniform in [0, 1).
func (j Jitter) spread(d time.Duration, random float64) time.Duration {
	random = min(max(random, 0), math.Nextafter(1, 0)) // at 1, float64(math.MaxInt64) is one too many
	switch j {
	case FullJitter:
		return min(d, time.Duration(float64(d)*random))
	case EqualJitter:
		half := d / 2
		return min(d, half+time.Duration(float64(d-half)*random))
	default:
		return d
	}
}

// String shows the first delays: "10s, 1m40s, 16m40s, then 1h".
func (b Backoff) String() string {
	const most = 5 // what is shown at all; longer ones end in the last delay
	var s strings.Builder
	last := b.Delay(math.MaxInt)
	for n := 1; ; n++ {
		d := b.Delay(n)
		if d == last {
			if n > 1 {
				s.WriteString(", then ")
			}
			s.WriteString(brief(last))
			break
		}
		if n > 1 {
			s.WriteString(", ")
		}
		if n == most {
			s.WriteString("… up to " + brief(last))
			break
		}
		s.WriteString(brief(d))
	}
	if b.Jitter != NoJitter {
		s.WriteString(" (" + b.Jitter.String() + ")")
	}
	return s.String()
}

// brief prints 1h0m0s as 1h and 1m0s as 1m.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// faults are all of the backoff's, each with field, value and remedy.
func (b Backoff) faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("Backoff."+format, args...)) }
	if b.Jitter > EqualJitter {
		fault("Jitter is %v: use NoJitter, FullJitter or EqualJitter", b.Jitter)
	}
	if len(b.Schedule) > 0 {
		for i, d := range b.Schedule {
			if d < 0 {
				fault("Schedule[%d] is %v: a delay cannot be negative; use 0 to retry at once", i, d)
			}
		}
		if b.Base != 0 || b.Factor != 0 || b.Max != 0 {
			faults = append(faults, errors.New("Backoff.Schedule is given together with Base, Factor or Max, which have no effect then: leave one of both out"))
		}
		return faults
	}
	if b.Base < 0 {
		fault("Base is %v: a delay cannot be negative; use Every(0) to retry at once, 0 for the default of %v", b.Base, defaultBase)
	}
	if b.Max < 0 {
		fault("Max is %v: a delay cannot be negative; use 0 for the default of %v", b.Max, brief(defaultMax))
	}
	if b.Factor != 0 && !(b.Factor >= 1 && !math.IsInf(b.Factor, 1)) {
		fault("Factor is %v: use a number from 1 on, or 0 for the default of %d", b.Factor, defaultFactor)
	}
	if full := b.withDefaults(); b.Base >= 0 && b.Max >= 0 && full.Base > full.Max {
		fault("Base is %v, above Max, which is %v: raise Max, or use Every(d)", brief(full.Base), brief(full.Max))
	}
	return faults
}
