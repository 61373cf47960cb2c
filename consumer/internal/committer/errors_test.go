package committer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// Each error code that partition 0 is answered with for a while, beside a partition 1 that is fine: when it is tried
// again, whether partition 1 has to wait, whether the member hears of it, and what a user reads.
func TestEachRefusal(t *testing.T) {
	second := []time.Duration{time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 61 * time.Second, 91 * time.Second}
	tenth := []time.Duration{100 * ms, 300 * ms, 700 * ms, 1500 * ms, 2500 * ms, 3500 * ms}
	soon := []time.Duration{20 * ms, 60 * ms, 140 * ms, 300 * ms, 620 * ms, 1260 * ms, 2260 * ms, 3260 * ms}
	for _, c := range []struct {
		code    sarama.KError
		tries   []time.Duration // after the first one
		group   bool            // partition 1 waits as well
		reports bool
		remedy  string
	}{
		{sarama.ErrIllegalGeneration, soon, true, true, ""},
		{sarama.ErrRebalanceInProgress, soon, true, true, ""},
		{sarama.ErrUnknownMemberId, tenth, true, true, ""},
		{sarama.ErrFencedInstancedId, tenth, true, true, "InstanceID"},
		{sarama.ErrNotCoordinatorForConsumer, tenth, true, true, ""},
		{sarama.ErrConsumerCoordinatorNotAvailable, tenth, true, true, ""},
		{sarama.ErrOffsetsLoadInProgress, tenth, true, false, ""},
		{sarama.ErrRequestTimedOut, tenth, true, false, ""},
		{sarama.ErrGroupAuthorizationFailed, second, true, true, "READ on the group"},
		{sarama.ErrInvalidGroupId, second, true, false, "group's name"},
		{sarama.ErrTopicAuthorizationFailed, second, false, false, "READ on the topic"},
		{sarama.ErrUnknownTopicOrPartition, second, false, false, "deleted"},
		{sarama.ErrInvalidCommitOffsetSize, second, false, false, "max.message.bytes"},
		{sarama.ErrOffsetMetadataTooLarge, second, false, false, ""}, // and there is no metadata: it cannot be that
		{sarama.ErrUnknown, second, false, false, ""},
		{sarama.KError(113), second, false, false, ""},
	} {
		t.Run(c.code.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(partitions(2)...)
				fixed := c.tries[len(c.tries)-1]
				b.code = func(_ int, at place) sarama.KError {
					if at == orders(0) && time.Since(b.start) < fixed {
						return c.code
					}
					return sarama.ErrNoError
				}
				x := newBench(t, b)
				sick, sound := x.claim(orders(0)), x.claim(orders(1))
				sick.Commit(at(1), true, nil)
				sound.Commit(at(1), true, nil)
				time.Sleep(ms)
				sound.Commit(at(2), true, nil)
				time.Sleep(ms)
				if got := b.committed(orders(1)).offset; (got != 2) != c.group {
					t.Errorf("the other partition is committed at %d", got)
				}
				time.Sleep(2 * time.Minute)
				var tries []time.Duration
				for _, q := range b.requests() {
					if _, in := q.blocks[orders(0)]; in {
						tries = append(tries, q.at)
					}
				}
				if want := append([]time.Duration{0}, c.tries...); fmt.Sprint(tries) != fmt.Sprint(want) {
					t.Errorf("tried at %v, want %v", tries, want)
				}
				if b.committed(orders(0)).offset != 1 || b.committed(orders(1)).offset != 2 {
					t.Errorf("committed in the end: %v", b.offsets)
				}
				if got := x.reported(); (len(got) > 0) != c.reports {
					t.Errorf("the member was told %v", got)
				}
				var first *event
				for _, e := range x.inbox.told() {
					if e.claim == sick.claim && !e.committed && first == nil {
						first = &e
					}
				}
				if first == nil || first.at != 0 || first.next != 1 || first.final {
					t.Fatalf("the first failure was told as %v", first)
				}
				if !errors.Is(first.err, c.code) || !strings.Contains(first.err.Error(), c.remedy) || !strings.HasPrefix(first.err.Error(), "ottla: ") {
					t.Errorf("a user reads %q", first.err)
				}
			})
		})
	}
}

// A connection that breaks, a coordinator that is silent or not known: the same as a refusal that concerns the group.
func TestNoAnswer(t *testing.T) {
	broken := errors.New("connection reset by peer")
	for _, c := range []struct {
		text   string
		break_ func(x *bench)
		cause  error
	}{
		{"broken", func(x *bench) { x.broker.down = broken }, broken},
		{"silent", func(x *bench) { x.broker.silent = true }, nil},
		{"not known", func(x *bench) { x.coord.Move("") }, nil},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				x := newBench(t, b)
				c.break_(x)
				k := x.claim(orders(0))
				k.Commit(at(1), true, nil)
				time.Sleep(time.Minute)
				told := x.inbox.told()
				if len(told) < 5 || len(told) > 61 {
					t.Errorf("%d failures told in a minute", len(told))
				}
				for i, e := range told {
					if e.committed || e.final || c.cause != nil && !errors.Is(e.err, c.cause) {
						t.Errorf("told %v: %v", e, e.err)
					}
					if i > 0 && e.at-told[i-1].at < time.Second {
						t.Errorf("told %v after the one before", e.at-told[i-1].at)
					}
				}
				if len(x.reported()) == 0 {
					t.Error("the member was not told")
				}
				// The coordinator is found again: the pause is cut short.
				b.set(func(b *broker) { b.down, b.silent = nil, false })
				x.coord.Move("broker:2")
				moved := time.Since(b.start)
				time.Sleep(time.Second)
				got := b.requests()
				if last := got[len(got)-1]; b.committed(orders(0)).offset != 1 || last.at != moved {
					t.Errorf("committed %d, the last request at %v, the coordinator was found at %v", b.committed(orders(0)).offset, last.at, moved)
				}
			})
		})
	}
}

// A broker that leaves a partition out of its answer has not acknowledged it.
func TestAnAnswerThatLeavesAPartitionOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.leaveOut = func(n int, at place) bool { return n == 1 && at == orders(0) }
		x := newBench(t, b)
		var a answered
		for p := range int32(2) {
			x.claim(orders(p)).Commit(at(1), true, a.done)
		}
		time.Sleep(ms)
		if got := a.all(); len(got) != 1 {
			t.Errorf("%d are done", len(got))
		}
		time.Sleep(time.Second)
		if got := a.all(); len(got) != 2 || got[1] != nil {
			t.Errorf("in the end: %v", got)
		}
	})
}

// The generation that was sent is out of date: as soon as the new one is known, the offset goes with that.
func TestANewIdentityEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b)
		k := x.claim(orders(0))
		b.set(func(b *broker) { b.generation = 8 })
		var a answered
		k.Commit(at(1), true, a.done)
		time.Sleep(10 * ms)
		x.coord.Become("a", 8)
		synctest.Wait()
		got := b.requests()
		if len(got) != 2 || got[1].at != 10*ms || got[0].generation != 7 || got[1].generation != 8 {
			t.Errorf("requests %+v", got)
		}
		if errs := a.all(); len(errs) != 1 || errs[0] != nil {
			t.Errorf("done with %v", errs)
		}
	})
}

// Between a join and its sync the broker answers REBALANCE_IN_PROGRESS although the identity is the newest, and stays.
func TestARebalanceThatPassesWithoutAnotherIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(int, place) sarama.KError {
			if time.Since(b.start) < 4*time.Second {
				return sarama.ErrRebalanceInProgress
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		x.claim(orders(0)).Commit(at(1), true, nil)
		time.Sleep(5 * time.Second)
		if got := b.committed(orders(0)).offset; got != 1 {
			t.Errorf("committed %d", got)
		}
	})
}

// A note that comes during the pause takes the place of the refused one.
func TestTheNewestNoteIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(n int, _ place) sarama.KError {
			if n == 1 {
				return sarama.ErrOffsetsLoadInProgress
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		k := x.claim(orders(0))
		var a answered
		k.Commit(at(1), true, a.done)
		time.Sleep(50 * ms)
		k.Commit(at(2), false, a.done)
		time.Sleep(time.Second)
		got := b.requests()
		if len(got) != 2 || got[1].blocks[orders(0)].offset != 2 || got[1].at != 100*ms {
			t.Errorf("requests %+v", got)
		}
		if errs := a.all(); len(errs) != 2 {
			t.Errorf("done with %v", errs)
		}
	})
}

// Of metadata that the broker finds too long the reason is left out, now and later; the park and its attempts stay, and so does
// a shorter reason.
func TestMetadataTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(n int, at place) sarama.KError {
			if len(b.commits[n-1].blocks[at].meta) > 30 {
				return sarama.ErrOffsetMetadataTooLarge
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		k := x.claim(orders(0))
		p := at(5)
		p.Attempt, p.Parked, p.Reason = 3, true, strings.Repeat("why ", 20)
		var a answered
		k.Commit(p, true, a.done)
		synctest.Wait()
		if got := b.committed(orders(0)); got != (block{5, "ottla1:AQEDAgA"}) {
			t.Errorf("committed %+v", got)
		}
		if got := b.times(); len(got) != 2 || got[1] != 0 {
			t.Errorf("requests at %v, want two at once", got)
		}
		if told := x.inbox.told(); len(told) != 2 || !strings.Contains(told[0].err.Error(), "offset.metadata.max.bytes") || !told[1].committed {
			t.Errorf("told\n%s", x.inbox.words())
		}
		p.Next++
		k.Commit(p, true, a.done)
		synctest.Wait()
		p.Next, p.Reason = 7, "brief"
		k.Commit(p, true, a.done)
		synctest.Wait()
		got := b.requests()
		if len(got) != 4 || got[2].blocks[orders(0)].meta != "ottla1:AQEDAgA" || len(got[3].blocks[orders(0)].meta) < 20 {
			t.Errorf("requests %+v", got)
		}
		if errs := a.all(); len(errs) != 3 {
			t.Errorf("done with %v", errs)
		}
	})
}

// Several metadata are too long in one request: the shortest of them is the bound from then on, else those that are
// longer than it and shorter than the bound are refused once more.
func TestShortestRefusedMetadataIsTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const parts = 20
		b := newBroker(partitions(parts)...)
		b.delay = ms
		b.code = func(n int, at place) sarama.KError {
			if len(b.commits[n-1].blocks[at].meta) > 30 {
				return sarama.ErrOffsetMetadataTooLarge
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		for i := range parts {
			p := at(5)
			p.Parked, p.Reason = true, strings.Repeat("why ", 5+i)
			x.claim(orders(int32(i))).Commit(p, true, nil)
		}
		time.Sleep(time.Second)
		for i := range int32(parts) {
			if got := b.committed(orders(i)); got != (block{5, "ottla1:AgA"}) { // the park
				t.Errorf("partition %d is committed at %+v", i, got)
			}
		}
		if n := len(b.requests()); n > 3 { // the first has some of them; one more; and without
			t.Errorf("%d requests", n)
		}
	})
}

// A login that is refused is a code, but no answer about a partition: nothing else is sent in the meantime, and each
// partition that has something to commit does not log in anew.
func TestRefusedLoginHoldsAllBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(100)...)
		b.down = sarama.ErrSASLAuthenticationFailed
		x := newBench(t, b)
		for i := range int32(100) {
			x.claim(orders(i)).Commit(at(10), true, nil)
			time.Sleep(ms)
		}
		synctest.Wait()
		if n := len(b.requests()); n > 3 {
			t.Errorf("%d logins in 100 ms", n)
		}
		if len(x.reported()) == 0 {
			t.Error("the member was not told")
		}
		b.set(func(b *broker) { b.down = nil })
		time.Sleep(5 * time.Second)
		for i := range int32(100) {
			if got := b.committed(orders(i)).offset; got != 10 {
				t.Errorf("partition %d is committed at %d in the end", i, got)
			}
		}
	})
}

// A static member says its instance id: without it a broker answers UNKNOWN_MEMBER_ID even to the right member id.
func TestStaticMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b)
		x.Stop()
		static := newStatic(t, b, "pod-3")
		static.claim(orders(0)).Commit(at(1), true, nil)
		synctest.Wait()
		if got := b.requests(); len(got) != 1 || got[0].instance != "pod-3" {
			t.Errorf("requests %+v", got)
		}
	})
}
