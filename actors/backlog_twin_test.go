package actors

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

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
	behind   int64 // the first offset that was shed
	shed     int   // records, by this park
	gate     Gate
	paused   bool
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
		return max(n.behind, n.all[len(n.all)-1].offset+1)
	}
	return n.wanted
}

func (n *naive) next() int64 {
	if left := n.unfinished(); len(left) > 0 {
		return left[0].offset
	}
	return n.received()
}

// moves: a record may lie between offset and what is unfinished, or be passed over, as far as anybody knows.
func (n *naive) moves(offset int64) bool {
	last := n.wanted - 1
	for _, r := range n.all {
		if r.done && n.find(r.offset) == nil && (len(n.unfinished()) == 0 || r.offset < n.unfinished()[0].offset) {
			last = r.offset
		}
	}
	return offset <= last || offset > n.next()
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
	*n = naive{seek: n.seek, wanted: offset, carry: carry, paused: n.paused}
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
	if n.stopping || !n.assigned || n.gate.Kind != Open || n.paused || len(left) == 0 || left[0].flying {
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

// drop is Shed: all that is left waiting behind the head, as it was received.
func (n *naive) drop() (s Shed) {
	left := n.unfinished()
	if n.stopping || !n.assigned || n.gate.Kind != Parked && !n.paused || len(left) == 0 {
		return Shed{}
	}
	for i := len(n.all) - 1; n.all[i] != left[0] && !n.all[i].flying && !n.all[i].done && n.all[i].again == nil; i-- {
		s = Shed{From: n.all[i].offset, Records: s.Records + 1, Bytes: s.Bytes + n.all[i].size}
		n.all = n.all[:i]
	}
	if s.Records > 0 {
		n.seek++
		n.behind, n.shed = s.From, s.Records
	}
	return s
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
		Paused             bool
		Shed               int
		Moves              [8]bool // seeks to around Next
	}
	var got, want answers
	got = answers{Next: b.Next(), Attempts: b.Attempts(), Open: b.Unfinished(), By: b.Bytes(), Stopping: b.Stopping(), Awaiting: b.Awaiting(), Gate: b.Gate(), Paused: b.Paused(), Shed: b.shed.Records}
	got.Len, got.Assigned = b.Len()
	got.Due, got.IsDue = b.Peek()
	for i := range got.Moves {
		got.Moves[i] = b.Moves(b.Next() - 5 + int64(i))
	}
	left := len(n.unfinished())
	want = answers{
		Next: n.next(), Attempts: n.attempts(), Open: left, By: n.bytes(), Len: left, Assigned: n.assigned && !n.stopping,
		Stopping: n.stopping, Awaiting: !n.assigned && !n.stopping, Gate: n.gate, Paused: n.paused, Shed: n.shed,
	}
	for i := range want.Moves {
		if want.Moves[i] = n.moves(n.next() - 5 + int64(i)); i < 5 && n.behind > 0 {
			want.Moves[i] = got.Moves[i] // a hole before what was shed may count as one or not
		}
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
	shed := func(step int) error {
		got, number, ok := b.Shed()
		want := n.drop()
		if got != want || ok != (want.Records > 0) || ok && number != n.seek {
			return fmt.Errorf("step %d, Shed: backlog answers %+v %d %v, twin %+v %d", step, got, number, ok, want, n.seek)
		}
		if !ok {
			return nil
		}
		if late := from(at, at+1); rnd.IntN(2) == 0 { // of the fetch that was under way
			if got, want := b.Append(seek, late), n.append(seek, late); got != want || got != 0 {
				return fmt.Errorf("step %d, Append of what was fetched before Shed: backlog takes %d bytes, twin %d", step, got, want)
			}
		}
		seek, at = number, got.From-int64(rnd.IntN(3)) // a fetch begins at the first record of its wire batch
		return nil
	}
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
			to := max(0, b.Next()+int64(rnd.IntN(9)-4))
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
		case die < 94:
			if b.Gate().Kind != Parked || rnd.IntN(2) == 0 {
				b.Park("why", messages.ClassHandler)
				n.gate = Gate{Kind: Parked, Reason: "why", Class: messages.ClassHandler, Stays: true}
			}
			if op = "Park"; rnd.IntN(2) == 0 {
				op = "Shed"
				err = shed(step)
			}
		case die < 96:
			b.Pause()
			n.paused = true
			if op = "Pause"; rnd.IntN(2) == 0 {
				op = "Shed"
				err = shed(step)
			}
		case die < 98:
			b.Resume()
			if n.paused = false; n.gate.Kind != Parked {
				n.shed = 0
			}
			op = "Resume"
		case die < 99 || die < 100 && rnd.IntN(5) > 0:
			b.Release()
			if n.gate = (Gate{}); !n.paused {
				n.shed = 0
			}
			op = "Release"
		default:
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
