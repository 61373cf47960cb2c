package supervisor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// The last word on each partition counts, in any order of words on single ones and on the whole topic; and a pause keeps
// the name of who began it. The twin keeps one entry for each of all partitions there are.
func TestPausesAreTheirTwin(t *testing.T) {
	t.Parallel()
	const partitions = 4
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := pauses{}
		twin := map[partitionID]string{}
		for step := range 30 {
			topic, by := []string{"a", "b"}[rnd.IntN(2)], fmt.Sprint("operator ", step)
			var list []int32 // nil: all
			for rnd.IntN(3) > 0 {
				list = append(list, int32(rnd.IntN(partitions)))
			}
			pausing := rnd.IntN(2) == 0
			if pausing {
				p.add(topic, list, by, time.Unix(int64(step), 0))
			} else {
				p.remove(topic, list)
			}
			for n := range int32(partitions) {
				id := partitionID{topic, n}
				switch {
				case list != nil && !slices.Contains(list, n):
				case !pausing:
					delete(twin, id)
				case twin[id] == "":
					twin[id] = by
				}
			}
			for _, topic := range []string{"a", "b"} {
				for n := range int32(partitions) {
					id, got := partitionID{topic, n}, ""
					if one := p.find(id); one != nil {
						got = one.By
					}
					if got != twin[id] {
						t.Fatalf("seed %d, step %d: %v is paused by %q, want %q", seed, step, id, got, twin[id])
					}
				}
			}
			if !pausing && list == nil && p[topic] != nil {
				t.Fatalf("seed %d, step %d: something is left of a topic that was resumed", seed, step)
			}
		}
	}
}

// Who has paused a partition, and since when, is not changed by who says so again.
func TestAPauseKeepsItsName(t *testing.T) {
	t.Parallel()
	p := pauses{}
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	p.add("orders", []int32{3, 3}, "ann", at(1))
	p.add("orders", nil, "bob", at(2))
	p.add("orders", []int32{3, 4}, "carl", at(3))
	p.add("orders", nil, "dora", at(4))
	p.remove("orders", []int32{5, 7})
	p.remove("letters", nil)
	want := []messages.PauseStatus{
		{Topic: "orders", Partition: -1, Except: []int32{5, 7}, By: "bob", Since: at(2)},
		{Topic: "orders", Partition: 3, By: "ann", Since: at(1)},
	}
	if got := p.status(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.add("orders", []int32{5}, "emil", at(5)) // it ran in between
	p.add("orders", nil, "fay", at(6))         // so did 7
	want = []messages.PauseStatus{
		{Topic: "orders", Partition: -1, By: "bob", Since: at(2)},
		{Topic: "orders", Partition: 3, By: "ann", Since: at(1)},
		{Topic: "orders", Partition: 5, By: "emil", Since: at(5)},
		{Topic: "orders", Partition: 7, By: "fay", Since: at(6)},
	}
	if got := p.status(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.remove("orders", nil)
	p.add("orders", []int32{1}, "ann", at(7))
	p.remove("orders", []int32{1})
	if len(p) != 0 {
		t.Errorf("left: %v", p.status())
	}
}
