package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/messages"
)

// FuzzPrint: whatever a stranger has written into a letter, it moves no terminal's cursor, and looks like nothing that it is
// not: a letter of the list is one line; what is shown of one has its fields in our order, and but for the value each in a line;
// as JSON it is one line, and what was valid UTF-8 is read as it was.
func FuzzPrint(f *testing.F) {
	f.Add("orders", "unknown customer", []byte("ann"), []byte("{\n}"))
	f.Add("or\x1b[2Jders", "a\u009b2Jb\x7f\u202ec\u2028", []byte("ann\nvalue         forged"), []byte("\x1b]0;title\a"))
	f.Add("\xff\n", "e\u0301 \U000E0001 \x00\r\n", []byte(nil), []byte{0xc2, 0x9b, 0xff})
	f.Add("\"\\u001b", "<script>&\U0001F600", []byte{}, []byte("a\tb\u0085c"))
	f.Fuzz(func(t *testing.T, topic, said string, key, value []byte) {
		l := &deadletters.Letter{
			Record: &messages.Record{Topic: topic, Key: key, Value: value, Headers: []messages.Header{{Key: said, Value: value}, {Key: topic, Value: key}}},
			Origin: deadletters.Place{Topic: topic}, From: said, Group: said, Class: said, Error: said, Stack: "goroutine 7\n" + said,
			RequestID: said, Rule: said, Written: time.Unix(1, 0),
		}
		printed := func(write func(x *tool) error) string {
			var b bytes.Buffer
			if err := write(&tool{out: &b}); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) || !utf8.ValidString(text) {
				t.Fatalf("printed %q", text)
			}
			return text
		}
		for range 2 {
			if line := printed(func(x *tool) error { return x.line(l) }); strings.Count(line, "\n") != 1 {
				t.Fatalf("a line of the list is %q", line)
			}
			l.By = said
		}

		object := printed(func(x *tool) error { return x.object(l) })
		var read struct{ Origin, Error, Group string }
		if err := json.Unmarshal([]byte(object), &read); err != nil || strings.Count(object, "\n") != 1 {
			t.Fatalf("%q: %v", object, err)
		}
		if utf8.ValidString(said) && (read.Error != said || read.Group != said) || utf8.ValidString(topic) && read.Origin != topic+"/0@0" {
			t.Fatalf("%q was read as %+v", object, read)
		}

		shown := printed(func(x *tool) error { return x.whole(l) })
		before, after, _ := strings.Cut(shown, "\nvalue         ")
		if after != content(value)+"\n" {
			t.Fatalf("something else passes for the value in\n%s", shown)
		}
		order := []string{"letter", "written", "origin", "from", "group", "attempts", "count", "request id", "rule", "by", "class", "error", "stack", "header", "key"}
		for line := range strings.SplitSeq(before, "\n") {
			for len(order) > 0 && !strings.HasPrefix(line, order[0]+" ") {
				order = order[1:]
			}
			if len(order) == 0 {
				t.Fatalf("%q is none of the fields, or not in its place, in\n%s", line, shown)
			}
		}
	})
}
