package metadata

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ottla-go/ottla/actors"
)

func encode(t *testing.T, n Note) string {
	t.Helper()
	s, err := Encode(n)
	if err != nil {
		t.Fatalf("Encode(%+v): %v", n, err)
	}
	return s
}

func decode(t *testing.T, s string) Note {
	t.Helper()
	n, err := Decode(s)
	if err != nil {
		t.Fatalf("Decode(%q): %v", s, err)
	}
	return n
}

func rawString(raw ...byte) string { return prefix + base64.RawURLEncoding.EncodeToString(raw) }

// These strings are stored in users' clusters: they can be read by every later version, so they never change.
func TestStoredFormIsFixed(t *testing.T) {
	for _, c := range []struct {
		text string
		note Note
		want string
	}{
		{"nothing", Note{}, ""},
		{"a reason without a park is nothing", Note{Reason: "left over"}, ""},
		{"attempts", Note{Attempt: 3}, rawString(1, 1, 3)},
		{"many attempts", Note{Attempt: 300}, rawString(1, 2, 0xac, 0x02)},
		{"parked", Note{Parked: true}, rawString(2, 0)},
		{"parked with a reason", Note{Attempt: 1, Parked: true, Reason: "é"}, rawString(1, 1, 1, 2, 0, 3, 2, 0xc3, 0xa9)},
		{"finished ranges", Note{Finished: []byte{9, 8}}, rawString(4, 2, 9, 8)},
		{"began at the end", Note{Partitions: 12}, rawString(5, 1, 12)},
	} {
		if got := encode(t, c.note); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
	if got := encode(t, Note{Attempt: 3}); got != "ottla1:AQED" {
		t.Errorf("three attempts are %q, want ottla1:AQED", got)
	}
}

func TestForeignAndDamagedCarryNothing(t *testing.T) {
	for _, c := range []struct {
		text, in string
		err      error
	}{
		{"another client's words", "processed by billing-7", ErrForeign},
		{"a later format", "ottla2:AQED", ErrForeign},
		{"the prefix in another case", "OTTLA1:AQED", ErrForeign},
		{"no base64", "ottla1:AQ*D", ErrDamaged},
		{"padding", "ottla1:AQ==", ErrDamaged},
		{"a character short", "ottla1:AQE", ErrDamaged},
		{"a length beyond the end", rawString(3, 9, 'x'), ErrDamaged},
		{"no length", rawString(1), ErrDamaged},
		{"a length that never ends", rawString(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ErrDamaged},
		{"a length beyond int64", rawString(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), ErrDamaged},
		{"attempts twice", rawString(1, 1, 3, 1, 1, 4), ErrDamaged},
		{"no attempts", rawString(1, 0), ErrDamaged},
		{"zero attempts", rawString(1, 1, 0), ErrDamaged},
		{"attempts beyond MaxAttempt", rawString(1, 5, 0x80, 0x80, 0x80, 0x80, 0x08), ErrDamaged},
		{"attempts and a byte", rawString(1, 2, 3, 0), ErrDamaged},
		{"a park with a value", rawString(2, 1, 1), ErrDamaged},
		{"a reason that is no UTF-8", rawString(2, 0, 3, 1, 0xff), ErrDamaged},
		{"zero partitions", rawString(5, 1, 0), ErrDamaged},
	} {
		n, err := Decode(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.text, err, c.err)
		}
		if !reflect.DeepEqual(n, Note{}) {
			t.Errorf("%s: carries %+v", c.text, n)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	n := decode(t, rawString(200, 3, 'a', 'b', 'c', 1, 1, 2, 77, 0, 2, 0))
	if want := (Note{Attempt: 2, Parked: true}); !reflect.DeepEqual(n, want) {
		t.Errorf("%+v, want %+v", n, want)
	}
}

// A note at and over the limit: the string fits, the reason is cut between two characters, attempts stay.
func TestReasonIsCutFirst(t *testing.T) {
	for _, unit := range []string{"x", "é", "€", "😀", "\xffx"} {
		for extra := range 12 {
			reason := strings.Repeat("a", extra) + strings.Repeat(unit, Limit)
			s := encode(t, Note{Attempt: MaxAttempt, Parked: true, Reason: reason, Partitions: 7})
			if len(s) > 4007 {
				t.Fatalf("%q: %d characters", unit, len(s))
			}
			n := decode(t, s)
			if n.Attempt != MaxAttempt || !n.Parked || n.Partitions != 7 {
				t.Errorf("%q: something else than the reason was cut: %d %v %d", unit, n.Attempt, n.Parked, n.Partitions)
			}
			whole := strings.ToValidUTF8(reason, "\uFFFD")
			if !utf8.ValidString(n.Reason) || !strings.HasPrefix(whole, n.Reason) {
				t.Errorf("%q: cut through a character", unit)
			}
			if len(n.Reason) < Limit-25 {
				t.Errorf("%q: only %d bytes of the reason are left", unit, len(n.Reason))
			}
		}
	}
}

// Finished ranges take what they need: first the reason goes, then the attempts, and then it is an error.
func TestFinishedRangesAreNeverCut(t *testing.T) {
	full := Note{Attempt: 5, Parked: true, Reason: "a poison record"}
	for finished := Limit - 60; finished <= Limit+1; finished++ {
		full.Finished = bytes.Repeat([]byte{1}, finished)
		s, err := Encode(full)
		if over := 3 + finished + 2 - Limit; over > 0 { // its own type and two bytes of length, and the park
			if !errors.Is(err, ErrTooLong) {
				t.Fatalf("%d bytes of ranges: %v, want ErrTooLong", finished, err)
			}
			continue
		} else if err != nil {
			t.Fatalf("%d bytes of ranges: %v", finished, err)
		}
		n := decode(t, s)
		if len(n.Finished) != finished || !n.Parked {
			t.Fatalf("%d bytes of ranges: %d are left, parked %v", finished, len(n.Finished), n.Parked)
		}
		if n.Reason != "" && n.Attempt != 5 {
			t.Errorf("%d bytes of ranges: attempts went before the reason", finished)
		}
		if n.Reason != full.Reason && !strings.HasPrefix(full.Reason, n.Reason) {
			t.Errorf("%d bytes of ranges: reason %q", finished, n.Reason)
		}
	}
	full.Finished = bytes.Repeat([]byte{1}, Limit-5)
	if n := decode(t, encode(t, full)); n.Attempt != 0 || n.Reason != "" {
		t.Errorf("a full note has attempts %d and reason %q", n.Attempt, n.Reason)
	}
}

func TestNumbersOutOfRange(t *testing.T) {
	if s := encode(t, Note{Attempt: -1, Partitions: -1}); s != "" {
		t.Errorf("negative numbers: %q", s)
	}
	if n := decode(t, encode(t, Note{Attempt: math.MaxInt})); n.Attempt != MaxAttempt {
		t.Errorf("attempt %d, want %d", n.Attempt, MaxAttempt)
	}
}

func TestProgress(t *testing.T) {
	p := actors.Progress{Next: 42, Attempt: 2, Parked: true, Reason: "r", Finished: []byte{1, 1, 7}}
	if got := Of(p).Progress(42); !got.Equal(p) {
		t.Errorf("%+v, want %+v", got, p)
	}
}

// Every note that fits comes back as it was.
func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abc xyz é € 😀 \x00\n")
	for range 20_000 {
		n := Note{Parked: rnd.IntN(2) == 0}
		if rnd.IntN(2) == 0 {
			n.Attempt = int(rnd.Uint64N(MaxAttempt+1) >> rnd.IntN(31))
		}
		if n.Parked {
			var reason strings.Builder
			for range rnd.IntN(40) {
				reason.WriteRune(letters[rnd.IntN(len(letters))])
			}
			n.Reason = reason.String()
		}
		if rnd.IntN(2) == 0 {
			n.Partitions = rnd.Int32N(math.MaxInt32) >> rnd.IntN(31)
		}
		if k := rnd.IntN(300); k < 200 && k > 0 {
			n.Finished = make([]byte, k)
			for i := range n.Finished {
				n.Finished[i] = byte(rnd.Uint32())
			}
		}
		if got := decode(t, encode(t, n)); !reflect.DeepEqual(got, n) {
			t.Fatalf("%+v became %+v", n, got)
		}
	}
}
