package conformance

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// letterFault is a cause for which a dead letter cannot be written.
type letterFault struct {
	name  string
	says  string // what the status says of it, beside the topic
	alone bool   // it concerns the dead letters, and nothing else of the consumer
	gone  bool   // the letters that were there are, too
	most  string // bytes that the topic takes; the second record has more. Set before: a change is not in force at once
	spoil func(t *testing.T, k *kafka, d *door, dlt string) (mend func())
}

var letterFaults = []letterFault{{
	name: "too large", says: "too large", alone: true, most: "10000",
	spoil: func(_ *testing.T, k *kafka, _ *door, dlt string) func() {
		return func() { k.limit(dlt, "1000000") }
	},
}, {
	name: "the brokers are away", says: "run out of available brokers",
	spoil: func(_ *testing.T, _ *kafka, d *door, _ string) func() {
		d.shut()
		return d.open
	},
}, {
	name: "not authorised", says: "not authorized", alone: true,
	spoil: func(t *testing.T, k *kafka, _ *door, dlt string) func() {
		return k.forbid(t, dlt, kmsg.ACLOperationWrite)
	},
}, {
	name: "the topic was deleted", says: "does not exist", alone: true, gone: true,
	spoil: func(t *testing.T, k *kafka, _ *door, dlt string) func() {
		k.remove(dlt)
		k.createsByAsking(t)
		return func() {
			if k.exists(dlt) {
				t.Error("the topic was made by asking for it")
			}
			k.create(dlt, 2)
		}
	},
}}

// TestDeadLetterFaults: a dead letter cannot be written while the consumer runs, for each cause that there is. Elsewhere the
// record is dropped with a line in the log, or its partition stands for good. Here it is kept, and tried again as the rule for
// that says, though another rule skips whatever fails; nothing is committed past it; the status says which topic, and what is
// wrong; the other partition runs on. When the cause is gone, it is written and committed, and the partition goes on by itself.
func TestDeadLetterFaults(t *testing.T) {
	t.Parallel()
	for _, f := range letterFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			const each, more, first, second = 6, 3, 1, 4
			k := cluster(t)
			topic, dlt := k.topic(2), k.topic(2)
			group := "g-" + topic
			d, doors := newDiary(), newDoor()
			cfg := k.config("a", group, topic)
			if k.fake == nil && f.alone {
				cfg = k.secured("a", group, topic) // as somebody who can be forbidden something
			}
			cfg.SessionTimeout, cfg.RebalanceTimeout = 3*time.Minute, 3*time.Minute // no claim ends with the brokers
			doors.lead(&cfg)
			cfg.Policy = supervisor.Policy{
				supervisor.On(supervisor.Is(fails("bad")), supervisor.DeadLetter(dlt)),
				supervisor.On(supervisor.Any(), supervisor.Skip()),
				supervisor.On(supervisor.Class(messages.ClassDeadLetter), supervisor.Retry(supervisor.Every(300*time.Millisecond))),
			}
			stands := newGate()
			cfg.Actor = d.actors(func(_ context.Context, rec *consumer.Record) error {
				switch {
				case rec.Partition == 0 && rec.Offset == second:
					<-stands.open
					return fails("bad")
				case rec.Partition == 0 && rec.Offset == first:
					return fails("bad")
				}
				return nil
			})
			k.produce(topic, 2, 0, each, func(n int) []byte {
				if n == second {
					return bytes.Repeat([]byte("x"), 50_000)
				}
				return nil
			})
			if f.most != "" {
				k.limit(dlt, f.most)
			}
			a := start(t, "a", cfg)
			defer stands.release()
			reached := func(zero, one int64) func() bool {
				return func() bool { at := k.committed(group, topic); return at[0] == zero && at[1] == one }
			}
			eventually(t, "the first letter is written, and all before the second one is committed", reached(second, each))
			if letters := places(k, dlt, 1); !slices.Equal(letters, []string{"1"}) {
				t.Errorf("letters of %v, want of 1", letters)
			}
			mend := sync.OnceFunc(f.spoil(t, k, doors, dlt))
			defer mend()
			stands.release()
			var status messages.PartitionStatus
			tried := func() int {
				n := 0
				for _, e := range told[*messages.Failed](a) {
					if e.Failure.Class == messages.ClassDeadLetter {
						n++
					}
				}
				return n
			}
			eventually(t, "the second letter is tried, and tried again", func() bool {
				p, ok := a.partitions(messages.StateHolding)[0]
				if ok && p.Failure != nil && p.Failure.Class == messages.ClassDeadLetter {
					status = p
				}
				return status.Failure != nil && tried() >= 2
			})
			t.Log(status.Error)
			if status.Head != second || !strings.Contains(status.Error, dlt) || !strings.Contains(status.Error, f.says) || !strings.Contains(status.Error, "bad") {
				t.Errorf("head %d: %s", status.Head, status.Error)
			}
			if f.alone {
				k.produceTo(topic, 1, each, each+more)
				eventually(t, "the other partition runs on", reached(second, each+more))
			}
			if at := k.committed(group, topic)[0]; at != second {
				t.Errorf("committed %d, want %d: the record's own offset", at, second)
			}
			if page := d.page(0); strings.Contains(page, " 5#") {
				t.Errorf("what is behind it was handled: %s", page)
			}
			mend()
			if !f.alone {
				k.produceTo(topic, 1, each, each+more)
			}
			eventually(t, "all is committed", reached(each, each+more))
			a.leave()
			want := []string{"1", "4"}
			if f.gone {
				want = want[1:]
			}
			if letters := slices.Compact(places(k, dlt, len(want))); !slices.Equal(letters, want) {
				t.Errorf("letters of %v, want of %v", letters, want)
			}
			if n := len(told[*messages.DeadLettered](a)); n != 2 {
				t.Errorf("%d letters were told of, want 2", n)
			}
			if n := len(told[*messages.Skipped](a)); n > 0 {
				t.Errorf("%d records were skipped", n)
			}
			if lost := told[*messages.ClaimLost](a); len(lost) > 0 {
				t.Errorf("%d claims were lost: %v", len(lost), lost[0].Err)
			}
			if page := d.page(0); !strings.HasPrefix(page, "| 0#0 1#0 2#0 3#0 4#0 4#1 ") || strings.Count(page, " 5#") != 1 || !strings.HasSuffix(page, " 5#0") {
				t.Errorf("delivered as %s", page)
			}
		})
	}
}

// TestDeadLetterConnectionLost: the connection breaks while a letter is on its way: before it has arrived, and after it was
// written, when nobody hears of it. It is sent again, on another connection, and is there once; the record is committed, as if
// nothing had been.
func TestDeadLetterConnectionLost(t *testing.T) {
	t.Parallel()
	const each = 6
	k := cluster(t)
	topic, dlt := k.topic(1), k.topic(1)
	group := "g-" + topic
	k.fill(topic, 1, 0, each)
	s := &snips{kind: kmsg.Produce}
	cfg := k.config("a", group, topic)
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, s }
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter(dlt))}
	cfg.Handler = func(_ context.Context, rec *consumer.Record) error {
		switch rec.Offset {
		case 1, 2:
			s.requests.Store(1)
		case 3, 4:
			s.answers.Store(1)
		}
		return fails("bad")
	}
	a := start(t, "a", cfg)
	eventually(t, "all are committed", func() bool { return k.committed(group, topic)[0] == each })
	a.leave()
	if r, n := s.requests.Load(), s.answers.Load(); r != 0 || n != 0 {
		t.Errorf("%d requests and %d answers are still to be cut off", r, n)
	}
	k.produceTo(dlt, 0, each, each+1) // what is in front of it is all that there is
	letters := places(k, dlt, each+1)
	if want := []string{"0", "1", "2", "3", "4", "5", ""}; !slices.Equal(letters, want) {
		t.Errorf("letters of %q, want of %q", letters, want)
	}
	if n := len(told[*messages.Failed](a)); n != each {
		t.Errorf("%d failures, want %d: one of each record", n, each)
	}
}

// places are the offsets of the records that n letters, or more, were made of.
func places(k *kafka, dlt string, n int) (offsets []string) {
	for _, r := range k.letters(dlt, n) {
		offsets = append(offsets, header(r, "ottla-dlt-offset"))
	}
	return offsets
}
