package actors

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/ottla-go/ottla/messages"
)

// naive is the twin of Backlog: it keeps everything that it ever received in this seek, and computes each answer
// from the definition.
type naive struct {
	stopping bool
	assigned bool
	seek     uint64
	wanted   int64
	all      []*naiveRecord
	gate     Gate
	carry    map[int64]int
}

type naiveRecord struct {
	offset       int64
	size         int
	flying, done bool
	again        *messages.Record
}

func (n *naive) unfinished() (left []*naiveRecord) {
	for _, r := range n.all {
		if !r.done {
			left = append(left, r)
		}
	}
	return left
}

func (n *naive) received() int64 {
	if len(n.all) > 0 {
		return n.all[len(n.all)-1].offset + 1
	}
	return n.wanted
}

func (n *naive) next() int64 {
	if left := n.unfinished(); len(left) > 0 {
		return left[0].offset
	}
	return n.received()
}

func (n *naive) attempts() int {
	if left := n.unfinished(); len(left) > 0 && left[0].again != nil {
		return left[0].again.Attempt
	}
	return n.carry[n.next()]
}

func (n *naive) await(offset int64) uint64 {
	n.seek++
	if n.stopping {
		return n.seek
	}
	carry := map[int64]int{}
	if offset == n.next() {
		carry[offset] = n.attempts()
	}
	*n = naive{seek: n.seek, wanted: offset, carry: carry}
	return n.seek
}

func (n *naive) append(seek uint64, batch samples) (bytes int) {
	if n.stopping || seek != n.seek || seek == 0 {
		return 0
	}
	for i, s := range batch {
		if s.offset >= n.received() {
			n.all = append(n.all, &naiveRecord{offset: s.offset, size: batch.Size(i)})
			n.assigned = true
			bytes += batch.Size(i)
		}
	}
	return bytes
}

func (n *naive) due() *naiveRecord {
	left := n.unfinished()
	if n.stopping || !n.assigned || n.gate.Kind != Open || len(left) == 0 || left[0].flying {
		return nil
	}
	return left[0]
}

func (n *naive) find(offset int64) *naiveRecord {
	for _, r := range n.all {
		if r.offset == offset && !r.done {
			return r
		}
	}
	return nil
}

func (n *naive) finish(offset int64) bool {
	r := n.find(offset)
	if r == nil {
		return false
	}
	r.done = true
	return true
}

func (n *naive) fail(offset int64, again *messages.Record) bool {
	r := n.find(offset)
	if r == nil || !r.flying {
		return false
	}
	r.flying = false
	if again != nil {
		r.again = again
	}
	return true
}

func (n *naive) bytes() (sum int) {
	for _, r := range n.unfinished() {
		sum += r.size
	}
	return sum
}

// same compares all that can be asked of both.
func same(b *Backlog, n *naive) error {
	type answers struct {
		Next               int64
		Attempts, Open, By int
		Len                int
		Assigned           bool
		Due                int64
		IsDue              bool
		Stopping, Awaiting bool
		Gate               Gate
	}
	var got, want answers
	got = answers{Next: b.Next(), Attempts: b.Attempts(), Open: b.Unfinished(), By: b.Bytes(), Stopping: b.Stopping(), Awaiting: b.Awaiting(), Gate: b.Gate()}
	got.Len, got.Assigned = b.Len()
	got.Due, got.IsDue = b.Peek()
	left := len(n.unfinished())
	want = answers{
		Next: n.next(), Attempts: n.attempts(), Open: left, By: n.bytes(), Len: left, Assigned: n.assigned && !n.stopping,
		Stopping: n.stopping, Awaiting: !n.assigned && !n.stopping, Gate: n.gate,
	}
	if r := n.due(); r != nil {
		want.Due, want.IsDue = r.offset, true
	}
	if got != want {
		return fmt.Errorf("backlog %+v\n  twin %+v", got, want)
	}
	return nil
}

func TestBacklogIsItsTwin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		if err := twins(seed, 80); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzBacklogIsItsTwin(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := twins(seed, 400); err != nil {
			t.Fatal(err)
		}
	})
}

// twins does the same random things to a Backlog and to its twin.
func twins(seed uint64, steps int) error {
	var (
		rnd    = rand.New(rand.NewPCG(seed, 7))
		b      Backlog
		n      = naive{}
		flying []*messages.Record
		at     int64 // of the source
		seek   uint64
	)
	for step := range steps {
		op := ""
		agree := func(name string, got, want any) error {
			op = name
			if !reflect.DeepEqual(got, want) {
				return fmt.Errorf("step %d, %s: backlog answers %v, twin %v", step, name, got, want)
			}
			return nil
		}
		var err error
		switch die := rnd.IntN(100); {
		case die < 4:
			to := b.Next() + int64(rnd.IntN(9)-4)
			before := seek
			seek = b.Await(to)
			err = agree("Await", seek, n.await(to))
			at = to - int64(rnd.IntN(3)) // a fetch begins at the first record of its wire batch
			if rnd.IntN(3) == 0 && before > 0 {
				late := from(to, to+1)
				err = agree("Append of an older seek", b.Append(before, late), n.append(before, late))
			}
		case die < 7:
			offset, attempts := b.Next()+int64(rnd.IntN(2)), rnd.IntN(5)
			b.Carry(offset, attempts)
			n.carry = map[int64]int{offset: attempts}
			op = "Carry"
		case die < 30:
			var batch samples
			for range rnd.IntN(6) {
				batch = append(batch, sample{at, "0123456789"[:rnd.IntN(10)]})
				at += 1 + int64(rnd.IntN(3)*rnd.IntN(3)) // holes
			}
			err = agree("Append", b.Append(seek, batch), n.append(seek, batch))
			if rnd.IntN(4) == 0 {
				at -= int64(rnd.IntN(5)) // fetched twice
			}
		case die < 55:
			taken, ok := b.Take()
			r := n.due()
			if err = agree("Take", ok, r != nil); err != nil || !ok {
				break
			}
			attempt := n.carry[r.offset]
			if r.again != nil {
				attempt = r.again.Attempt
			}
			r.flying = true
			rec := delivered(taken)
			flying = append(flying, rec)
			err = agree("Take", []int64{taken.Offset, rec.Offset, int64(taken.Attempt), int64(rec.Attempt)},
				[]int64{r.offset, r.offset, int64(attempt), int64(attempt)})
		case die < 75:
			offset := b.Next() + int64(rnd.IntN(6)-1) // also done, unknown, and not the head
			if len(flying) > 0 && rnd.IntN(4) > 0 {
				offset = flying[rnd.IntN(len(flying))].Offset
			}
			err = agree("Finish", b.Finish(offset), n.finish(offset))
		case die < 88 && len(flying) > 0:
			i := rnd.IntN(len(flying))
			r := flying[i]
			flying = append(flying[:i], flying[i+1:]...)
			var again *messages.Record
			if rnd.IntN(3) > 0 {
				again = r.Redeliver()
			}
			err = agree("Fail", b.Fail(r.Offset, again), n.fail(r.Offset, again))
		case die < 91:
			b.Hold(time.Unix(int64(step), 0))
			n.gate = Gate{Kind: Holding, Until: time.Unix(int64(step), 0)}
			op = "Hold"
		case die < 93:
			b.Park("why", messages.ClassHandler)
			n.gate = Gate{Kind: Parked, Reason: "why", Class: messages.ClassHandler, Stays: true}
			op = "Park"
		case die < 99:
			b.Release()
			n.gate = Gate{}
			op = "Release"
		case rnd.IntN(5) == 0:
			b.Stop()
			n.stopping = true
			op = "Stop"
		}
		if err == nil {
			err = same(&b, &n)
		}
		if err != nil {
			return fmt.Errorf("step %d, after %s: %w", step, op, err)
		}
	}
	return nil
}

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
