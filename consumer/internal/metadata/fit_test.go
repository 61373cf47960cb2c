package metadata

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// FinishedMost bytes fit beside all that is carried; with one more the attempts go.
func TestFinishedMost(t *testing.T) {
	n := Note{Attempt: MaxAttempt, Parked: true, Reason: "a reason", Partitions: math.MaxInt32, Finished: bytes.Repeat([]byte{7}, FinishedMost)}
	got := decode(t, encode(t, n))
	if !bytes.Equal(got.Finished, n.Finished) || got.Attempt != MaxAttempt || !got.Parked || got.Partitions != math.MaxInt32 {
		t.Errorf("%d bytes: attempts %d, parked %v, partitions %d", len(got.Finished), got.Attempt, got.Parked, got.Partitions)
	}
	n.Finished = append(n.Finished, 7)
	if got := decode(t, encode(t, n)); got.Attempt != 0 || len(got.Finished) != FinishedMost+1 {
		t.Errorf("one byte more: %d bytes, attempts %d", len(got.Finished), got.Attempt)
	}
	if FinishedMost != 2981 {
		t.Errorf("%d of %d bytes are for it, and docs/offsets.md says 2,981", FinishedMost, Limit)
	}
}

// What does not fit goes: the reason first, then the finished ranges, and then everything; attempts and the park stay as long as they can.
func TestFit(t *testing.T) {
	finished := bytes.Repeat([]byte{7}, 100)
	tried := Note{Attempt: 3, Finished: finished}
	alone := Note{Attempt: 3}
	long := encode(t, tried)
	short := encode(t, alone)
	for _, c := range []struct {
		text    string
		note    Note
		refused int
		want    string
		without bool
	}{
		{"nothing was refused", tried, 0, long, false},
		{"a longer one was refused", tried, len(long) + 1, long, false},
		{"one of its length was refused", tried, len(long), short, true},
		{"one of the rest's length was refused", tried, len(short), "", true},
		{"there is nothing but the ranges", Note{Finished: finished}, 20, "", true},
		{"there are no ranges", Note{Parked: true, Reason: strings.Repeat("why ", 20)}, 20, encode(t, Note{Parked: true}), false},
		{"not even a flag fits", Note{Parked: true, Reason: strings.Repeat("why ", 20)}, 10, "", false},
		{"a long reason costs neither the park nor the attempts", Note{Attempt: 3, Parked: true, Reason: strings.Repeat("a", 2500)}, 1000,
			encode(t, Note{Attempt: 3, Parked: true}), false},
		{"nor the ranges", Note{Attempt: 3, Parked: true, Reason: strings.Repeat("a", 2500), Finished: finished}, 200,
			encode(t, Note{Attempt: 3, Parked: true, Finished: finished}), false},
		{"the ranges are too long", Note{Attempt: 3, Finished: bytes.Repeat([]byte{7}, Limit)}, 0, short, true},
		{"nothing to say", Note{}, 1, "", false},
	} {
		if got, without := Fit(c.note, c.refused); got != c.want || without != c.without {
			t.Errorf("%s: %q, %v, want %q, %v", c.text, got, without, c.want, c.without)
		}
	}
	if _, err := Encode(Note{Finished: bytes.Repeat([]byte{7}, Limit)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("Encode: %v", err)
	}
}
