package offsets

import (
	"testing"
	"time"
)

func TestChoices(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 250e6, time.UTC)
	for _, c := range []struct {
		choice Choice
		text   string
		valid  bool
		timed  bool
	}{
		{0, "unset", true, false},
		{Latest, "Latest", true, false},
		{Earliest, "Earliest", true, false},
		{Fail, "Fail", true, false},
		{At(at), "At(2026-11-23T10:00:00.25Z)", true, true},
		{At(at.Add(999 * time.Microsecond)), "At(2026-11-23T10:00:00.25Z)", true, true}, // to the millisecond
		{-4, "Choice(-4)", false, false},
	} {
		if got := c.choice.String(); got != c.text {
			t.Errorf("%d is %q, want %q", int64(c.choice), got, c.text)
		}
		if got := c.choice.Valid(); got != c.valid {
			t.Errorf("%s: valid %v, want %v", c.text, got, c.valid)
		}
		when, timed := c.choice.Time()
		if timed != c.timed || timed && !when.Equal(at) {
			t.Errorf("%s: time %v %v, want %v %v", c.text, when, timed, at, c.timed)
		}
	}
}

// A forgotten time must not turn into the number that means the end of the log: At(1969-12-31T23:59:59.999Z) is
// -1 in milliseconds, and that is Latest.
func TestTimesBeforeKafkaAreEarliest(t *testing.T) {
	for _, when := range []time.Time{{}, time.UnixMilli(0), time.UnixMilli(-1), time.UnixMilli(-3), time.UnixMilli(-2e6)} {
		if got := At(when); got != Earliest {
			t.Errorf("At(%v) is %v, want Earliest", when, got)
		}
	}
	if got := At(time.UnixMilli(1)); got != Choice(1) {
		t.Errorf("At(1 ms) is %v", got)
	}
}

func TestOr(t *testing.T) {
	if got := Choice(0).Or(Fail); got != Fail {
		t.Errorf("unset, else Fail: %v", got)
	}
	if got := Latest.Or(Fail); got != Latest {
		t.Errorf("Latest, else Fail: %v", got)
	}
}
