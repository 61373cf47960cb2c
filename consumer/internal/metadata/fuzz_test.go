package metadata

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a broker hands out: no panic, no half of a note, and what was read can be written again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "x", "ottla1:", "ottla1:AQED", "ottla1:AgADAsOp", rawString(4, 2, 9, 8, 5, 1, 12), rawString(200, 3, 'a', 'b', 'c')} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Decode(s)
		if err != nil {
			if !reflect.DeepEqual(n, Note{}) {
				t.Fatalf("%q is an error and carries %+v", s, n)
			}
			return
		}
		again, err := Encode(n)
		if err != nil {
			if len(n.Finished) < Limit-20 {
				t.Fatalf("%+v cannot be written again: %v", n, err)
			}
			return
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		if len(s) <= 4007 { // else something may have been cut
			if len(n.Finished) == 0 {
				n.Finished = nil
			}
			if !reflect.DeepEqual(back, n) {
				t.Fatalf("%+v became %+v", n, back)
			}
		}
	})
}

// Whatever a reason looks like: it fits, and it is UTF-8.
func FuzzEncode(f *testing.F) {
	f.Add(3, "a reason", 10)
	f.Add(-1, "\xff\xfe", 4000)
	f.Fuzz(func(t *testing.T, attempt int, reason string, times int) {
		s, err := Encode(Note{Attempt: attempt, Parked: true, Reason: strings.Repeat(reason, times&0xfff)})
		if err != nil || len(s) > 4007 {
			t.Fatalf("%d characters, %v", len(s), err)
		}
		if n, err := Decode(s); err != nil || !utf8.ValidString(n.Reason) {
			t.Fatalf("%q: %+v %v", s, n, err)
		}
	})
}
