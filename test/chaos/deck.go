package main

import (
	"math/rand/v2"
	"time"
)

// deck deals kinds in random order, each as often as any other: all of them before one comes again.
type deck struct {
	rand  *rand.Rand
	kinds []string
	rest  []string
}

// newDeck makes one whose order follows from the seed, and from who uses it.
func newDeck(seed, user uint64, kinds ...string) *deck {
	return &deck{rand: rand.New(rand.NewPCG(seed, user)), kinds: kinds}
}

func (d *deck) deal() (kind string) {
	if len(d.rest) == 0 {
		d.rest = append(d.rest, d.kinds...)
		d.rand.Shuffle(len(d.rest), func(i, j int) { d.rest[i], d.rest[j] = d.rest[j], d.rest[i] })
	}
	kind, d.rest = d.rest[0], d.rest[1:]
	return kind
}

// between is a random time.
func (d *deck) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.rand.Int64N(int64(most-least)+1))
}

// of is a random number below n.
func (d *deck) of(n int) int { return d.rand.IntN(n) }
