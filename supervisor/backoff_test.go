package supervisor

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestBackoffZeroValueIsThePowersOfTenSecondsUpToAnHour(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		math.MinInt: 0, -1: 0, 0: 0,
		1: 10 * time.Second, 2: 100 * time.Second, 3: 1000 * time.Second,
		4: time.Hour, 5: time.Hour, 19: time.Hour, 64: time.Hour, 100: time.Hour,
		math.MaxInt32: time.Hour, math.MaxInt - 1: time.Hour, math.MaxInt: time.Hour,
	} {
		if got := (Backoff{}).Delay(attempt); got != want {
			t.Errorf("delay %d: %v, want %v", attempt, got, want)
		}
	}
}

func TestBackoffConstructors(t *testing.T) {
	tests := []struct {
		name    string
		backoff Backoff
		want    []time.Duration
	}{
		{"quick", Quick(), []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}},
		{"every", Every(3 * time.Second), []time.Duration{3 * time.Second, 3 * time.Second}},
		{"at once", Every(0), []time.Duration{0, 0, 0}},
		{"longer than the default maximum", Every(5 * time.Hour), []time.Duration{5 * time.Hour, 5 * time.Hour}},
		{"schedule", Backoff{Schedule: []time.Duration{2, 1, 7}}, []time.Duration{2, 1, 7, 7, 7}},
		{"factor 1.5", Backoff{Base: 100, Factor: 1.5, Max: 300}, []time.Duration{100, 150, 225, 300, 300}},
		{"factor 1", Backoff{Base: 100, Factor: 1}, []time.Duration{100, 100, 100}},
	}
	for _, tt := range tests {
		for i, want := range tt.want {
			if got := tt.backoff.Delay(i + 1); got != want {
				t.Errorf("%s: delay %d: %v, want %v", tt.name, i+1, got, want)
			}
		}
	}
	if got := Quick().Delay(math.MaxInt); got != time.Minute {
		t.Errorf("quick ends at %v, want 1m", got)
	}
	if Quick().Jitter != FullJitter {
		t.Errorf("quick has %v", Quick().Jitter)
	}
}

// twin is Delay in rational numbers, multiplied one by one: exact, and hopeless for large attempts.
func twin(b Backoff, attempt int) time.Duration {
	d := new(big.Rat).SetInt64(int64(b.Base))
	factor := new(big.Rat).SetFloat64(b.Factor)
	limit := new(big.Rat).SetInt64(int64(b.Max))
	for range attempt - 1 {
		if d.Cmp(limit) >= 0 {
			break // it only grows
		}
		d.Mul(d, factor)
	}
	if d.Cmp(limit) >= 0 {
		return b.Max
	}
	return time.Duration(new(big.Int).Quo(d.Num(), d.Denom()).Int64())
}

func TestBackoffDelayAgainstBigRationals(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		b := Backoff{
			Base:   time.Duration(1 + rnd.Int64N(1<<rnd.UintN(62))),
			Max:    time.Duration(1 + rnd.Int64N(1<<rnd.UintN(63))),
			Factor: []float64{1, 1.5, 2, 3, 10, 1e9, 1 + rnd.Float64(), 1 + 100*rnd.Float64(), 1.0009765625}[rnd.IntN(9)],
		}
		attempt := 1 + rnd.IntN(150)
		if got, want := b.Delay(attempt), twin(b, attempt); got != want {
			t.Fatalf("%+v: delay %d: %d, want %d", b, attempt, got, want)
		}
	}
}

func TestBackoffDelayNeverFallsNorOverflows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		b := Backoff{Base: time.Duration(1 + rnd.Int64()>>1), Max: math.MaxInt64, Factor: 1 + rnd.ExpFloat64()}
		before := time.Duration(0)
		for attempt := 1; attempt > 0 && attempt < math.MaxInt/3; attempt = attempt*2 + rnd.IntN(3) {
			d := b.Delay(attempt)
			if d < before || d > b.Max {
				t.Fatalf("%+v: delay %d: %v after %v", b, attempt, d, before)
			}
			before = d
		}
	}
	slow := Backoff{Base: 1, Factor: math.Nextafter(1, 2), Max: math.MaxInt64}
	if got := slow.Delay(math.MaxInt); got != math.MaxInt64 { // (1+2^-52)^(2^63) is beyond any bound
		t.Errorf("the slowest growth ends at %d", got)
	}
}

func TestBackoffJitterStaysInItsBounds(t *testing.T) {
	for _, random := range []float64{-1, 0, 0.25, 0.5, math.Nextafter(1, 0), 1, 2} {
		for _, d := range []time.Duration{0, 1, 3, time.Second, time.Hour, math.MaxInt64} {
			if got := NoJitter.spread(d, random); got != d {
				t.Errorf("no jitter: %v of %v", got, d)
			}
			if got := FullJitter.spread(d, random); got < 0 || got > d {
				t.Errorf("full jitter at %v: %v of %v", random, got, d)
			}
			if got := EqualJitter.spread(d, random); got < d/2 || got > d {
				t.Errorf("equal jitter at %v: %v of %v", random, got, d)
			}
		}
	}
	if got := FullJitter.spread(time.Second, 0.25); got != 250*time.Millisecond {
		t.Errorf("full jitter: %v", got)
	}
	if got := EqualJitter.spread(time.Second, 0.5); got != 750*time.Millisecond {
		t.Errorf("equal jitter: %v", got)
	}
}

func TestBackoffText(t *testing.T) {
	tests := []struct {
		backoff Backoff
		want    string
	}{
		{Backoff{}, "10s, 1m40s, 16m40s, then 1h"},
		{Every(time.Minute), "1m"},
		{Every(0), "0s"},
		{Quick(), "200ms, 400ms, 800ms, 1.6s, … up to 1m (full jitter)"},
		{Backoff{Base: time.Second, Factor: 1, Jitter: EqualJitter}, "1s (equal jitter)"},
		{Backoff{Schedule: []time.Duration{time.Hour, time.Minute}}, "1h, then 1m"},
		{Backoff{Base: 90 * time.Minute, Factor: 1, Max: 10 * time.Hour}, "1h30m"},
	}
	for _, tt := range tests {
		if got := tt.backoff.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestBackoffFaults(t *testing.T) {
	tests := []struct {
		backoff Backoff
		want    []string // of the one fault
	}{
		{Backoff{Base: -time.Second}, []string{"Base", "-1s", "use Every(0)"}},
		{Backoff{Max: -time.Second}, []string{"Max", "-1s", "use 0"}},
		{Backoff{Factor: 0.5}, []string{"Factor", "0.5", "from 1 on"}},
		{Backoff{Factor: -2}, []string{"Factor", "-2", "from 1 on"}},
		{Backoff{Factor: math.NaN()}, []string{"Factor", "NaN", "from 1 on"}},
		{Backoff{Factor: math.Inf(1)}, []string{"Factor", "+Inf", "from 1 on"}},
		{Backoff{Base: 2 * time.Hour}, []string{"Base", "2h", "Max", "1h", "raise Max"}},
		{Backoff{Jitter: 7}, []string{"Jitter", "Jitter(7)", "use NoJitter"}},
		{Backoff{Schedule: []time.Duration{1, -1}}, []string{"Schedule[1]", "-1ns", "use 0"}},
		{Backoff{Schedule: []time.Duration{1}, Max: 1}, []string{"Schedule", "no effect", "leave one"}},
	}
	for _, tt := range tests {
		faults := tt.backoff.faults()
		if len(faults) != 1 {
			t.Errorf("%+v: %d faults, want 1: %v", tt.backoff, len(faults), faults)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(faults[0].Error(), want) {
				t.Errorf("%+v: %q misses %q", tt.backoff, faults[0], want)
			}
		}
		for _, n := range []int{1, 2, 50, math.MaxInt} { // and what was never validated waits a sane time
			if d := tt.backoff.Delay(n); d < 0 {
				t.Errorf("%+v: delay %d is %v", tt.backoff, n, d)
			}
		}
	}
	for _, b := range []Backoff{{}, Quick(), Every(0), Every(9 * time.Hour), {Base: time.Hour}, {Factor: 1}} {
		if faults := b.faults(); len(faults) != 0 {
			t.Errorf("%+v: %v", b, faults)
		}
	}
}
