package committer

import (
	"testing"

	"github.com/ottla-go/ottla/actors"
)

// benchClaims are claims in front of a coordinator that answers at once and forgets. newBroker would keep every
// request.
func benchClaims(b *testing.B, n int32) []*claim {
	b.Helper()
	br := newBroker(partitions(n)...)
	br.forget = true
	x := newBench(b, br)
	var all []*claim
	for p := range n {
		all = append(all, x.claim(orders(p)))
	}
	return all
}

// A note for every record, from one goroutine: what a busy partition does, at most. The requests of every 20 ms are in
// the figure.
func BenchmarkCommit(b *testing.B) {
	k := benchClaims(b, 1)[0]
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		next++
		k.Commit(actors.Progress{Next: next}, false, nil)
	}
}

// The same from as many goroutines as there are processors, each with a claim of its own.
func BenchmarkCommitParallel(b *testing.B) {
	all := benchClaims(b, 64)
	claims := make(chan *claim, len(all))
	for _, k := range all {
		claims <- k
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		k := <-claims
		next := int64(0)
		for pb.Next() {
			next++
			k.Commit(actors.Progress{Next: next}, false, nil)
		}
	})
}

// Each note with a done function, as the mailbox gives one.
func BenchmarkCommitWithDone(b *testing.B) {
	k := benchClaims(b, 1)[0]
	done := func(error) {}
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		next++
		k.Commit(actors.Progress{Next: next}, false, done)
	}
}

// CommitEach without a network: note, request, answer, done; one after the other. What it costs here comes on top of
// the round trip.
func BenchmarkCommitEach(b *testing.B) {
	k := benchClaims(b, 1)[0]
	answers := make(chan error)
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		next++
		k.Commit(actors.Progress{Next: next}, true, func(err error) { answers <- err })
		if err := <-answers; err != nil {
			b.Fatal(err)
		}
	}
}
