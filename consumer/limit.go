package consumer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ottla-go/ottla/actors"
)

// Limit bounds how fast the records of one partition are handed out, each partition for itself: what the neighbours do does
// not count. Every delivery counts, that of a record which is tried again, too. A record that has to wait holds up its own
// partition, and nothing else: not a revocation, a shutdown or an operator, nor messages to its actor.
type Limit struct {
	// PerSecond is the rate, 0.00001 to 1,000,000. Default: none.
	PerSecond float64
	// Burst is how many records may go at once after a rest. Default: none, which comes to a tenth of a second's worth, and
	// at least one.
	Burst int
}

// The bounds of a rate: a record in 28 hours, and what a partition does not reach.
const (
	fewestPerSecond = 0.00001
	mostPerSecond   = 1_000_000
)

func (l Limit) rate() actors.Rate {
	if l.Burst == 0 {
		l.Burst = max(1, int(l.PerSecond/10))
	}
	return actors.Rate{PerSecond: l.PerSecond, Burst: l.Burst}
}

func (f *faults) rates(c Config) {
	f.rate("Limit", c.Limit)
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		f.rate(perTopic(name)+".Limit", c.PerTopic[name].Limit)
	}
}

func (f *faults) rate(field string, l Limit) {
	if l.PerSecond != 0 && !(l.PerSecond >= fewestPerSecond && l.PerSecond <= mostPerSecond) { // NaN, too
		f.add(field+".PerSecond", fmt.Sprint(l.PerSecond), "it is out of range", fmt.Sprintf("use 0.00001 to %v, or 0 for no limit", float64(mostPerSecond)))
	}
	switch {
	case l.Burst < 0:
		f.add(field+".Burst", strconv.Itoa(l.Burst), "it is below 1", "use 1 or more, or 0 for the default")
	case l.Burst > 0 && l.PerSecond == 0:
		f.add(field+".Burst", strconv.Itoa(l.Burst), "there is no rate, so it has no effect", "set "+field+".PerSecond, or remove it")
	}
}
