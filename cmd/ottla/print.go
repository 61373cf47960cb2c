package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/messages"
)

// line writes a letter in one line.
func (x *tool) line(l *deadletters.Letter) error {
	by := "rule=" + l.Rule
	if l.By != "" {
		by = "by=" + l.By
	}
	_, err := fmt.Fprintf(x.out, "%s  %s  from %s  %s  attempts=%d count=%d  %s  %s\n",
		printable(l.Place().String()), stamp(l.Written), printable(l.Origin.String()), printable(l.Class), l.Attempts, l.Count, printable(by), printable(l.Error))
	return err
}

// object writes a letter as one line of JSON. What is in a record may be nobody's business: see show.
func (x *tool) object(l *deadletters.Letter) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(struct {
		Place       string    `json:"place"`
		Origin      string    `json:"origin"`
		From        string    `json:"from"`
		Time        time.Time `json:"time"`
		Group       string    `json:"group"`
		Attempts    int       `json:"attempts"`
		Class       string    `json:"class"`
		Error       string    `json:"error"`
		FirstFailed time.Time `json:"first_failed"`
		Written     time.Time `json:"written"`
		RequestID   string    `json:"request_id"`
		Rule        string    `json:"rule"`
		By          string    `json:"by"`
		Count       int       `json:"count"`
	}{
		l.Place().String(), l.Origin.String(), l.From, l.Time, l.Group, l.Attempts, l.Class, l.Error, l.FirstFailed, l.Written,
		l.RequestID, l.Rule, l.By, l.Count,
	}); err != nil {
		return err
	}
	_, err := x.out.Write(escaped(b.Bytes()))
	return err
}

// escaped is JSON with everything written as \u that would move a terminal's cursor, or its reader. The encoder does so for
// the first 32 characters only, and it stands in strings only.
func escaped(object []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(object) {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// whole writes all of a letter.
func (x *tool) whole(l *deadletters.Letter) error {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-13s %s\n", name, value)
		}
	}
	field("letter", printable(l.Place().String()))
	field("written", stamp(l.Written))
	field("origin", printable(l.Origin.String()))
	field("from", printable(l.From))
	field("time", stamp(l.Time))
	field("group", printable(l.Group))
	field("attempts", fmt.Sprint(l.Attempts))
	field("count", fmt.Sprint(l.Count))
	field("first failed", stamp(l.FirstFailed))
	field("request id", printable(l.RequestID))
	field("rule", printable(l.Rule))
	field("by", printable(l.By))
	field("class", printable(l.Class))
	field("error", printable(l.Error))
	for s := range strings.SplitSeq(l.Stack, "\n") {
		field("stack", printable(s))
	}
	for _, h := range l.Headers() {
		field("header", header(h))
	}
	field("key", printable(content(l.Record.Key))) // in one line: a second one could pass for another field
	field("value", content(l.Record.Value))
	_, err := x.out.Write([]byte(b.String()))
	return err
}

// report writes what a replay did.
func (x *tool) report(r deadletters.Report, written bool) error {
	var b strings.Builder
	verb := "would be written to"
	if written {
		verb = "written to"
	}
	for _, topic := range slices.Sorted(maps.Keys(r.Replayed)) {
		fmt.Fprintf(&b, "%d %s %s\n", r.Replayed[topic], verb, printable(topic))
	}
	if r.Total() == 0 {
		b.WriteString("nothing to write\n")
	}
	if r.Already > 0 {
		fmt.Fprintf(&b, "%d had been replayed before\n", r.Already)
	}
	if !written && r.Total() > 0 {
		b.WriteString("nothing was written: add --write to do it\n")
	}
	_, err := x.out.Write([]byte(b.String()))
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// header is in one line, whatever is in it.
func header(h messages.Header) string { return printable(h.Key) + "=" + printable(content(h.Value)) }

// content is text where it is text, else hexadecimal.
func content(b []byte) string {
	switch {
	case b == nil:
		return "(null)"
	case len(b) == 0:
		return "(empty)"
	case utf8.Valid(b):
		lines := strings.Split(string(b), "\n")
		for i := range lines {
			lines[i] = printable(lines[i])
		}
		return strings.Join(lines, "\n")
	default:
		return "hex " + hex.EncodeToString(b)
	}
}

// printable is s without what would move a terminal's cursor, or its reader: it comes from strangers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return '\uFFFD'
	}, s)
}
