package actors

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/ottla-go/ottla/messages"
)

// expect checks what a backlog answers next.
func expect(t *testing.T, b *Backlog, due int64, length int) {
	t.Helper()
	offset, ok := b.Peek()
	if !ok {
		offset = none
	}
	if offset != due {
		t.Errorf("due is %d, want %d", offset, due)
	}
	n, ok := b.Len()
	if !ok {
		n = absent
	}
	if n != length {
		t.Errorf("Len is %d, want %d", n, length)
	}
}

const none, absent = -1, -1

func TestBacklogAwaitingSeek(t *testing.T) {
	t.Parallel()
	var b Backlog
	if b.Append(0, from(0, 1)); b.Unfinished() != 0 {
		t.Error("a backlog that was never asked to await anything took records")
	}
	first := b.Await(10)
	b.Append(first, from(7, 8, 9)) // the wire batch begins before the offset
	expect(t, &b, none, absent)
	second := b.Await(20)
	b.Append(first, from(20, 21)) // what an older seek fetched, even if it would fit
	expect(t, &b, none, absent)
	if b.Next() != 20 {
		t.Errorf("Next is %d while the seek is awaited, want what was asked for", b.Next())
	}
	b.Append(second, from(19, 23, 24)) // 20 to 22 are compacted away: an exact match would wait for ever
	expect(t, &b, 23, 2)
}

func TestBacklogAssigned(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	b.Append(seek, from(0, 2))
	b.Append(seek, from(4, 8))
	expect(t, &b, 0, 4)
	taken, _ := b.Take()
	expect(t, &b, none, 4) // in flight: the next one waits for the head
	b.Fail(0, delivered(taken).Redeliver())
	again, _ := b.Take()
	if r := delivered(again); r.Attempt != 1 || string(r.Value) != "value 0" {
		t.Errorf("the redelivery is attempt %d of %q", r.Attempt, r.Value)
	}
	b.Finish(0)
	expect(t, &b, 2, 3)
	b.Finish(8) // out of order
	if b.Next() != 2 || b.Unfinished() != 2 {
		t.Errorf("Next %d, %d unfinished", b.Next(), b.Unfinished())
	}
	b.Finish(2)
	b.Finish(4)
	if b.Next() != 9 {
		t.Errorf("Next is %d when all are finished, want the last one's plus one", b.Next())
	}
	expect(t, &b, none, 0)
}

func TestBacklogHoldingAndParkedTakeRecordsAndGiveNone(t *testing.T) {
	t.Parallel()
	for _, kind := range []GateKind{Holding, Parked} {
		var b Backlog
		seek := b.Await(0)
		b.Append(seek, from(0))
		if kind == Holding {
			b.Hold(time.Unix(1, 0))
		} else {
			b.Park("why", messages.ClassHandler)
		}
		b.Append(seek, upTo(1, 100)) // one fetch overshoots the pause: dropped here, it would never come again
		expect(t, &b, none, 101)
		b.Release()
		expect(t, &b, 0, 101)
	}
}

func TestBacklogStopping(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	b.Append(seek, from(0, 1))
	b.Take()
	b.Stop()
	if b.Append(seek, from(2)) != 0 {
		t.Error("a record was accepted that nobody will read")
	}
	expect(t, &b, none, absent)
	if !b.Finish(0) || b.Next() != 1 {
		t.Error("what was in flight could not be finished")
	}
	b.Await(50)
	if b.Next() != 1 || !b.Stopping() {
		t.Error("a seek moved a backlog that had stopped")
	}
}

// A record that is finished twice, for example by a reply that came late, must not take its successor with it.
func TestBacklogDequeuesByIdentity(t *testing.T) {
	t.Parallel()
	var b Backlog
	b.Append(b.Await(0), from(0, 1, 2))
	b.Take()
	if !b.Finish(0) || b.Finish(0) || b.Finish(-1) || b.Finish(99) {
		t.Error("only the first Finish counts, and only of what is there")
	}
	expect(t, &b, 1, 2)
}

// Two transactions of one record each: their commit markers are offsets 1 and 3. Counting by one would wait for
// a record that never comes, and say that the partition lags.
func TestBacklogFollowsReceivedOrder(t *testing.T) {
	t.Parallel()
	var b Backlog
	b.Append(b.Await(0), from(0, 2))
	b.Take()
	b.Finish(0)
	if b.Next() != 2 {
		t.Errorf("Next is %d", b.Next())
	}
}

func TestBacklogCarriesAttemptsOfAPreviousOwner(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(5)
	b.Carry(5, 3)
	if b.Attempts() != 3 {
		t.Errorf("before the record comes, a commit would say %d attempts", b.Attempts())
	}
	b.Append(seek, from(5, 6))
	taken, _ := b.Take()
	if taken.Attempt != 3 {
		t.Errorf("attempt %d, want the 3 that the previous owner had made", taken.Attempt)
	}
	b.Finish(5)
	if taken, _ = b.Take(); taken.Attempt != 0 || b.Attempts() != 0 {
		t.Errorf("the next record starts with attempt %d", taken.Attempt)
	}
}

// The record was compacted away while the partition moved: its attempts must not stick to another one.
func TestBacklogForgetsAttemptsOfARecordThatIsGone(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(5)
	b.Carry(5, 3)
	b.Append(seek, from(7))
	taken, _ := b.Take()
	if taken.Attempt != 0 || b.Attempts() != 0 {
		t.Errorf("attempt %d, Attempts %d", taken.Attempt, b.Attempts())
	}
}

// The source gave up before the first record came (say, not authorised), an operator asks again: the same seek.
// The record is still the one that has failed three times elsewhere.
func TestBacklogSeekToTheSamePlaceKeepsAttempts(t *testing.T) {
	t.Parallel()
	var b Backlog
	b.Await(5)
	b.Carry(5, 3)
	b.Append(b.Await(5), from(5))
	taken, _ := b.Take()
	if taken.Attempt != 3 {
		t.Errorf("attempt %d after the source was asked again, want 3", taken.Attempt)
	}
	b.Fail(5, delivered(taken).Redeliver())
	b.Append(b.Await(5), from(5)) // acquired again: the store still expects 5
	if taken, _ = b.Take(); taken.Attempt != 4 {
		t.Errorf("attempt %d, want 4", taken.Attempt)
	}
	b.Append(b.Await(4), from(4, 5))
	if taken, _ = b.Take(); taken.Attempt != 0 {
		t.Errorf("attempt %d of another record", taken.Attempt)
	}
}

// A fetch is one buffer, often of a mebibyte. Whatever waits for long must not keep it.
func TestBacklogKeepsNoFetchOfWhatIsDone(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	b.Append(seek, from(0))
	finished := fetchOf(&b, seek, 1, 2) // finished out of order, while 0 is still open
	b.Finish(1)
	b.Finish(2)
	if collected(finished) != nil {
		t.Error("records that are done keep their fetch alive")
	}
	runtime.KeepAlive(&b)
}

func TestBacklogCopiesAHeadThatFailed(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	held := fetchOf(&b, seek, 0)
	taken, _ := b.Take()
	again := delivered(taken).Redeliver()
	b.Fail(0, again)
	b.Hold(time.Now().Add(time.Hour))
	if collected(held) != nil {
		t.Error("a head in a long backoff keeps its fetch alive")
	}
	runtime.KeepAlive(&b)
}

type heavy struct{ samples }

func fetchOf(b *Backlog, seek uint64, offsets ...int64) weak.Pointer[heavy] {
	h := &heavy{from(offsets...)}
	b.Append(seek, h)
	return weak.Make(h)
}

func collected(p weak.Pointer[heavy]) *heavy {
	for range 5 {
		runtime.GC()
	}
	return p.Value()
}

// The ring wraps around and grows in the middle of it.
func TestBacklogRingGrowsWhileItWraps(t *testing.T) {
	t.Parallel()
	var b Backlog
	seek := b.Await(0)
	at := int64(0)
	for round := range 50 {
		b.Append(seek, upTo(at, at+int64(round)))
		at += int64(round) + 1
		for range round / 2 {
			taken, _ := b.Take()
			b.Finish(taken.Offset)
		}
		if err := contiguous(&b, at); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func contiguous(b *Backlog, end int64) error {
	for i := range b.length {
		if got, want := b.at(i).offset, b.Next()+int64(i); got != want {
			return fmt.Errorf("entry %d has offset %d, want %d", i, got, want)
		}
	}
	if b.Next()+int64(b.length) != end {
		return fmt.Errorf("the ring ends at %d, want %d", b.Next()+int64(b.length), end)
	}
	return nil
}
