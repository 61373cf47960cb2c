package committer

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
)

// beyond is where a partition stands at next, with this finished beyond it.
func beyond(next int64, spans ...actors.Span) actors.Progress {
	return actors.Progress{Next: next, Finished: actors.EncodeSpans(next, spans)}
}

// Offset and metadata are dirty together: a record that finishes beyond the offset is committed, the same once more is
// nothing new, and so is the same in other bytes of memory.
func TestWhatIsFinishedBeyondIsDirtyByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)))
		k := x.claim(orders(0))
		for _, p := range []actors.Progress{
			at(7), beyond(7, actors.Span{First: 9, Last: 9}), beyond(7, actors.Span{First: 9, Last: 10}), at(11),
		} {
			k.Commit(p, true, nil)
			time.Sleep(time.Second)
			p.Finished = bytes.Clone(p.Finished)
			k.Commit(p, true, nil)
			time.Sleep(time.Second)
		}
		want := []block{{7, ""}, {7, "ottla1:BAICAg"}, {7, "ottla1:BAICBg"}, {11, ""}}
		got := x.broker.requests()
		if len(got) != len(want) {
			t.Fatalf("%d requests, want %d", len(got), len(want))
		}
		for i, w := range want {
			if got[i].blocks[orders(0)] != w {
				t.Errorf("request %d: %v, want %v", i, got[i].blocks[orders(0)], w)
			}
		}
	})
}

// A broker whose limit is lower refuses what is finished beyond the offset: the offset is committed at once, with its
// attempts and the park. It is told once, and that length is not tried again, by whatever claim; what fits is.
func TestFinishedBeyondIsLeftOutWhereTheBrokerRefusesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		refused := 0
		b.code = func(n int, at place) sarama.KError {
			if len(b.commits[n-1].blocks[at].meta) > 100 {
				refused++
				return sarama.ErrOffsetMetadataTooLarge
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		claims := []*claim{x.claim(orders(0)), x.claim(orders(1))}
		small := beyond(5, actors.Span{First: 9, Last: 9})
		small.Attempt, small.Parked = 3, true
		large := small
		large.Finished = bytes.Repeat([]byte{1}, 100)
		tried := block{5, encoded(t, metadata.Note{Attempt: 3, Parked: true})}
		for i := range 50 {
			for p, k := range claims {
				large.Finished = bytes.Repeat([]byte{byte(i)}, 100+i) // another each time
				k.Commit(large, true, nil)
				time.Sleep(20 * ms)
				if got := b.committed(orders(int32(p))); got != tried {
					t.Fatalf("round %d: committed %v, want %v", i, got, tried)
				}
			}
		}
		if refused != 1 {
			t.Errorf("refused %d times, want once", refused)
		}
		claims[0].Commit(small, true, nil)
		time.Sleep(time.Second)
		if got, want := b.committed(orders(0)), (block{5, encoded(t, metadata.Of(small))}); got != want {
			t.Errorf("what fits: committed %v, want %v", got, want)
		}
		failures := 0
		for _, e := range x.inbox.told() {
			if !e.committed {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("%d failures were told, want one:\n%s", failures, x.inbox.words())
		}
		if logs := x.logs.String(); strings.Count(logs, "offset.metadata.max.bytes") != 1 || !strings.Contains(logs, "handles those records again") {
			t.Errorf("logged\n%s", logs)
		}
	})
}

// What should never be so long is left out as well: the offset counts more. It is said once for each claim.
func TestFinishedBeyondThatIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		x := newBench(t, b)
		for p := range int32(2) {
			k := x.claim(orders(p))
			for i := range 5 {
				k.Commit(actors.Progress{Next: int64(i), Attempt: 2, Finished: bytes.Repeat([]byte{1}, metadata.Limit)}, true, nil)
				time.Sleep(time.Second)
				if got, want := b.committed(orders(p)), (block{int64(i), encoded(t, metadata.Note{Attempt: 2})}); got != want {
					t.Errorf("committed %v, want %v", got, want)
				}
			}
		}
		if logs := x.logs.String(); strings.Count(logs, "does not fit") != 2 || !strings.Contains(logs, "handles those records again") {
			t.Errorf("logged\n%s", logs)
		}
	})
}
