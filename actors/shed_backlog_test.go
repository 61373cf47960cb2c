package actors

import (
	"runtime"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

// What is shed comes again, and what was fetched behind it is not appended behind the hole.
func TestShedDropsTheTailAndBeginsASeek(t *testing.T) {
	t.Parallel()
	var b Backlog
	old := b.Await(10)
	b.Append(old, from(10, 11, 14)) // 12 and 13 are a hole
	if _, _, ok := b.Shed(); ok {
		t.Error("the tail of a partition that works was shed")
	}
	b.Park("why", messages.ClassHandler)
	s, seek, ok := b.Shed()
	if want := (Shed{From: 11, Records: 2, Bytes: from(11).Size(0) + from(14).Size(0)}); !ok || s != want || seek == old {
		t.Fatalf("shed %+v, seek %d after %d, %v; want %+v", s, seek, old, ok, want)
	}
	if b.Append(old, from(15, 16)) != 0 {
		t.Error("a fetch that was under way was appended behind the hole")
	}
	if _, _, ok := b.Shed(); ok {
		t.Error("shed twice")
	}
	expect(t, &b, none, 1)
	b.Release()
	expect(t, &b, 10, 1)
	b.Take()
	b.Finish(10)
	if b.Next() != 11 || b.Unfinished() != 0 || b.Bytes() != 0 {
		t.Errorf("it stands at %d with %d records, %d bytes; want 11, where the source begins again", b.Next(), b.Unfinished(), b.Bytes())
	}
	b.Append(seek, from(9, 10, 11, 14, 15)) // a fetch begins with its wire batch
	expect(t, &b, 11, 3)
}

// A record that is more than what the source brought stays: it would be handled again, or forget its attempts.
func TestShedKeepsWhatIsMoreThanFetched(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *Backlog){
		"in flight": func(b *Backlog) { b.at(2).state = inFlight },
		"done":      func(b *Backlog) { b.Finish(2) },
		"failed":    func(b *Backlog) { b.at(2).from = &fetched{again: &messages.Record{Attempt: 3}} },
	} {
		var b Backlog
		b.Append(b.Await(0), upTo(0, 5))
		change(&b)
		b.Park("why", messages.ClassHandler)
		if s, _, ok := b.Shed(); !ok || s.From != 3 || s.Records != 3 || b.length != 3 {
			t.Errorf("%s: shed %+v, %v; %d entries stay", name, s, ok, b.length)
		}
	}
}

func TestShedGivesTheMemoryBack(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	b.Append(seek, from(0))
	tail := fetchOf(&b, seek, 1, 2)
	b.Append(seek, upTo(3, 20_000))
	b.Park("why", messages.ClassHandler)
	b.Shed()
	if collected(tail) != nil {
		t.Error("the tail's fetch is alive")
	}
	if len(b.ring) > 16 {
		t.Errorf("a ring of %d entries for one record", len(b.ring))
	}
	runtime.KeepAlive(&b)
}
