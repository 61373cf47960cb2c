package source

import (
	"math/rand/v2"
	"testing"
)

const mib = 1 << 20

func TestAppetiteSlowStart(t *testing.T) {
	var a appetite
	if got := a.ask(8*mib, mib); got != slowStart {
		t.Errorf("the first ask is %d", got)
	}
	a.fed(&harvest{batches: 4, size: 10 * slowStart, largest: 3 * slowStart, squeezed: true}, slowStart, true)
	if got := a.ask(mib, mib); got < mib/10-1 || got > mib/10 {
		t.Errorf("with a ratio of 10 and room for 1 MiB the ask is %d", got)
	}
	if got := a.ask(1, mib); got != one {
		t.Errorf("no room but for one: the ask is %d", got)
	}
	if got := a.ask(100*mib, mib); got != mib {
		t.Errorf("all the room there is: the ask is %d", got)
	}
}

// TestAppetiteOfSmallRecords: a backlog counts 256 bytes for each record, so a partition of 10-byte records takes more
// than ten times its bytes on the wire, compressed or not.
func TestAppetiteOfSmallRecords(t *testing.T) {
	var a appetite
	a.fed(&harvest{batches: 2, size: 266_000, onWire: 20_000}, slowStart, false)
	if a.ratio != 13.3 {
		t.Errorf("ratio %v", a.ratio)
	}
}

// TestAppetiteForgets: one batch that compresses very well is forgotten, a lasting change is learnt.
func TestAppetiteForgets(t *testing.T) {
	a := appetite{ratio: 50, known: true}
	for range 30 {
		a.fed(&harvest{batches: 2, size: 2 * mib, squeezed: true}, mib, true)
	}
	if a.ratio > 2.5 {
		t.Errorf("ratio %v after 30 answers with 2", a.ratio)
	}
	a.fed(&harvest{batches: 2, size: 30 * mib, squeezed: true}, mib, false)
	if a.ratio != 30 {
		t.Errorf("ratio %v, not learnt at once", a.ratio)
	}
	// An answer that is small because the log ends tells nothing.
	for range 100 {
		a.fed(&harvest{batches: 2, size: 100, squeezed: true}, mib, false)
	}
	if a.ratio != 30 {
		t.Errorf("ratio %v, forgotten at the end of the log", a.ratio)
	}
}

// TestAppetiteAtTheEndOfALog: small answers bound the ratio from below. An ask that took the bound for the ratio would
// bring, with the next burst, a hundred times the room.
func TestAppetiteAtTheEndOfALog(t *testing.T) {
	var a appetite
	for range 10 {
		a.fed(&harvest{batches: 1, size: 100 << 10, largest: 100 << 10, squeezed: true}, slowStart, false)
	}
	if got := a.ask(8*mib, mib); got != slowStart {
		t.Errorf("asks for %d", got)
	}
	if got := a.ask(32<<10, mib); got > 32<<10*64/100 {
		t.Errorf("with little room it asks for %d: the bound is something, too", got)
	}
	a.fed(&harvest{batches: 40, size: 100 * slowStart, largest: 100 << 10, squeezed: true}, slowStart, true)
	if got := a.ask(8*mib, mib); got > 8*mib/100 {
		t.Errorf("with a ratio of 100 it asks for %d", got)
	}
}

// TestAppetiteInACrowd: who gets nothing because others got it all does not ask for more.
func TestAppetiteInACrowd(t *testing.T) {
	a := appetite{ratio: 50, known: true}
	asked := a.ask(mib, mib)
	for range 20 {
		a.missed(asked, mib, 3)
	}
	if got := a.ask(mib, mib); got != asked {
		t.Errorf("asks for %d after misses in a crowd, before for %d", got, asked)
	}
}

// TestAppetiteOfLargeBatches: a batch that is larger than the ask comes after some doublings, and its size is
// remembered as long as there are such batches.
func TestAppetiteOfLargeBatches(t *testing.T) {
	a := appetite{ratio: 1, known: true}
	const large = 900 << 10
	room := 100 << 10
	asked := a.ask(room, mib)
	for n := 0; asked < large; n++ {
		if n > 5 {
			t.Fatalf("the ask is %d after %d misses", asked, n)
		}
		a.missed(asked, mib, 0)
		asked = a.ask(room, mib)
	}
	a.fed(&harvest{batches: 1, size: large, largest: large, onWire: large}, asked, true)
	if got := a.ask(room, mib); got < large || got > 5*large/4 {
		t.Errorf("the next ask is %d", got)
	}
	a.fed(&harvest{batches: 9, size: 90 << 10, largest: 10 << 10, onWire: 90 << 10}, asked, true)
	if got := a.ask(room, mib); got > room {
		t.Errorf("batches are small again, and the ask is %d for a room of %d", got, room)
	}
}

func TestAppetiteStarves(t *testing.T) {
	var a appetite
	for n := 1; n <= 5; n++ {
		a.missed(slowStart, mib, 0)
		if a.starved(0) != (n > 4) {
			t.Errorf("starved %v after %d misses", a.starved(0), n)
		}
	}
	if a.starved(12) {
		t.Error("starved after 5 misses where thirteen want what one can have")
	}
	a.fed(&harvest{}, slowStart, true) // aborted records only: but it got something
	if a.starved(0) {
		t.Error("starved after it was fed")
	}
}

// TestAppetiteStaysBounded: whatever the room and the compression, an ask is between one and the most, and what it
// brings is one batch, or fits the room as well as whole batches can tell the ratio: an answer to an ask for
// three and a half batches has three.
func TestAppetiteStaysBounded(t *testing.T) {
	const batch = 10 << 10
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		ratio := 1 + r.Float64()*20
		var a appetite
		for range 50 {
			room := 1 + r.IntN(4*mib)
			known := a.known
			asked := a.ask(room, mib)
			if asked < one || asked > mib {
				t.Fatalf("seed %d: ask %d", seed, asked)
			}
			n := max(1, asked/batch)
			size := int(float64(n*batch) * ratio)
			if known && n > 1 && size > 3*room/2 {
				t.Fatalf("seed %d: %d bytes for a room of %d: asked for %d with ratio %v, it is %v", seed, size, room, asked, a.ratio, ratio)
			}
			a.fed(&harvest{batches: n, size: size, largest: size / n, squeezed: true}, asked, true)
		}
	}
}
