package committer

import (
	"testing"
	"time"
)

// A coordinator that is away for an hour is told of some 65 times for each claim, not 3,600 times; one that comes and
// goes, once a second at most.
func TestFailuresAreToldMoreAndMoreRarely(t *testing.T) {
	var r report
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	var told []time.Duration
	for at := time.Duration(0); at <= time.Hour; at += 100 * time.Millisecond {
		if r.failed(now.Add(at)) {
			told = append(told, at)
		}
	}
	for i, seconds := range []int{0, 1, 3, 7, 15, 31, 63, 123} {
		if want := time.Duration(seconds) * time.Second; told[i] != want {
			t.Errorf("told at %v, want %v as number %d", told[i], want, i)
		}
	}
	if n := len(told); n < 60 || n > 70 {
		t.Errorf("told %d times in an hour", n)
	}

	r = report{}
	flapping := 0
	for at := time.Duration(0); at < time.Minute; at += 100 * time.Millisecond {
		if r.failed(now.Add(at)) {
			flapping++
		}
		r.committed(1, now.Add(at), false)
	}
	if flapping != 60 {
		t.Errorf("told %d times in a minute in which commits failed and succeeded in turn, want 60", flapping)
	}
}
