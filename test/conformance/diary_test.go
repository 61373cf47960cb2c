package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// diary is what the partition actors of a member were given: delivery by delivery, and where a fresh incarnation began.
type diary struct {
	mu    sync.Mutex
	pages map[int32]*diaryPage
}

// diaryPage is that of one partition.
type diaryPage struct {
	text  []string // offset#attempt, with "|" before the first delivery of each incarnation
	times []time.Time
}

func newDiary() *diary { return &diary{pages: map[int32]*diaryPage{}} }

// diarist is one incarnation: what it remembers ends with it.
type diarist struct {
	diary  *diary
	handle consumer.Handler
	begun  bool
}

// actors makes the actors of a member, which write down what they are given, and do what the handler says.
func (d *diary) actors(handle consumer.Handler) actor.Producer {
	return func() actor.Actor { return &diarist{diary: d, handle: handle} }
}

// Receive is actor.Actor's.
func (a *diarist) Receive(c actor.Context) {
	rec, ok := c.Message().(*messages.Record)
	if !ok {
		return
	}
	a.diary.note(rec, !a.begun)
	a.begun = true
	rec.Complete(a.handle(rec.Context(), rec))
}

func (d *diary) note(rec *messages.Record, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pages[rec.Partition]
	if p == nil {
		p = &diaryPage{}
		d.pages[rec.Partition] = p
	}
	if first {
		p.text = append(p.text, "|")
	}
	p.text = append(p.text, fmt.Sprintf("%d#%d", rec.Offset, rec.Attempt))
	p.times = append(p.times, time.Now())
}

// page is what a partition's actors were given so far: "| 0#0 1#0 | 1#1" are three deliveries to two incarnations.
func (d *diary) page(partition int32) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pages[partition]; p != nil {
		return strings.Join(p.text, " ")
	}
	return ""
}

// times are when the deliveries of a partition began.
func (d *diary) times(partition int32) []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pages[partition]; p != nil {
		return slices.Clone(p.times)
	}
	return nil
}
