package supervisor

import (
	"cmp"
	"slices"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// pauses are what operators have paused, by topic. They outlive claims: a partition that comes back is paused, and one that
// is not owned can be. The zero value is none; a map has to be made before the first one.
type pauses map[string]*topicPause

// topicPause is what stands in one topic. The last word on a partition counts.
type topicPause struct {
	rest *actors.Pause           // all that are not in of; nil: they run
	of   map[int32]*actors.Pause // nil: it runs, although the rest does not
}

// find is the pause of a partition; nil: it runs.
func (p pauses) find(id partitionID) *actors.Pause {
	t := p[id.topic]
	if t == nil {
		return nil
	}
	if one, ok := t.of[id.partition]; ok {
		return one
	}
	return t.rest
}

// add pauses partitions, or with nil all of a topic. What is paused already keeps its name and its time.
func (p pauses) add(topic string, partitions []int32, by string, now time.Time) {
	t := p[topic]
	if t == nil {
		t = &topicPause{of: map[int32]*actors.Pause{}}
		p[topic] = t
	}
	who := &actors.Pause{By: by, Since: now}
	if partitions == nil {
		if t.rest == nil {
			t.rest = who
		}
		for n, one := range t.of {
			if one == nil { // it was an exception: paused anew
				t.of[n] = who
			}
		}
		return
	}
	for _, n := range partitions {
		if p.find(partitionID{topic, n}) == nil {
			t.of[n] = who
		}
	}
}

// remove resumes partitions, or with nil all of a topic.
func (p pauses) remove(topic string, partitions []int32) {
	t := p[topic]
	if t == nil {
		return
	}
	for _, n := range partitions {
		if delete(t.of, n); t.rest != nil {
			t.of[n] = nil
		}
	}
	if partitions == nil || t.rest == nil && len(t.of) == 0 {
		delete(p, topic)
	}
}

// status lists what is in force.
func (p pauses) status() (all []messages.PauseStatus) {
	for topic, t := range p {
		var except []int32
		for n, one := range t.of {
			if one == nil {
				except = append(except, n)
				continue
			}
			all = append(all, messages.PauseStatus{Topic: topic, Partition: n, By: one.By, Since: one.Since})
		}
		slices.Sort(except)
		if t.rest != nil {
			all = append(all, messages.PauseStatus{Topic: topic, Partition: -1, Except: except, By: t.rest.By, Since: t.rest.Since})
		}
	}
	slices.SortFunc(all, func(a, b messages.PauseStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}
