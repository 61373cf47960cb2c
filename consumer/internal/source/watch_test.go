package source

import (
	"testing"
	"time"
)

// TestPausedPartitionsAreWatched: nobody fetches a partition that is paused for long, and its high-water mark is known
// all the same; also behind a seek, of which nothing was fetched.
func TestPausedPartitionsAreWatched(t *testing.T) {
	c := newCluster(t, 1, 2)
	cl := newProducer(t, c.ListenAddrs())
	produce(t, cl, 0, "a")
	produce(t, cl, 1, "a")
	s := newSource(t, c.ListenAddrs(), Options{watchEvery: 5 * time.Millisecond})
	b, failed := openBox(t, s, 0, 0, mib, nil), openBox(t, s, 1, 77, mib, nil)
	eventually(t, 10*time.Second, "it is read", func() bool { return b.count() == 1 })
	eventually(t, 10*time.Second, "the other one is out of range", func() bool { return len(failed.failures()) == 1 })
	b.pause(true)
	failed.pause(true)
	s.Seek(b.claim, 0, 2)
	for range 3 {
		produce(t, cl, 0, "b")
	}
	eventually(t, 10*time.Second, "its end is known", func() bool { return b.last().HighWater == 4 })
	if x := b.last(); x.Next != 0 || b.count() != 1 {
		t.Errorf("the next offset is %d, and %d records came", x.Next, b.count())
	}
	b.pause(false)
	eventually(t, 10*time.Second, "it is read from where it was sought", func() bool { return b.count() == 5 })
	if n := len(failed.failures()); n != 1 || failed.last().HighWater != 0 {
		t.Errorf("%d failures, extent %+v of a partition that waits for a seek", n, failed.last())
	}
}

// TestGrown: what is older than what is known, or of an older turn, is not told.
func TestGrown(t *testing.T) {
	k := newSink(mib)
	p := &partition{sink: k, seek: 1, next: 5}
	p.grown(0, 10)
	if x := k.extent(); x.HighWater != 10 || x.Next != 5 {
		t.Errorf("told %+v", x)
	}
	p.grown(0, 9)
	p.moveTo(3, 2)
	p.grown(0, 12)
	p.fail(1, errNothing)
	p.grown(1, 12)
	if x := k.extent(); x.HighWater != 10 {
		t.Errorf("told %+v", x)
	}
}
