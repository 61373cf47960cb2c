package supervisor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A pause is of the member: a partition that comes back, or comes for the first time, is paused before its first record.
func TestAPauseSurvivesRebalances(t *testing.T) {
	for name, partitions := range map[string][]int32{"topic": nil, "partition": {0}} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
				p, other := k.Assign("orders", 0), k.Assign("letters", 0)
				p.Append("a")
				began := time.Now()
				if err := k.Pause("orders", partitions...); err != nil {
					t.Fatal(err)
				}
				p.Append("b")
				for range 10 {
					p.Revoke()
					k.Advance(time.Minute)
					p = k.Assign("orders", 0)
					if s := p.Status(); s.State != messages.StatePaused || s.Head != 1 || s.Depth != 1 || s.PausedBy != "test" || !s.PausedSince.Equal(began) {
						t.Fatalf("%+v", s)
					}
				}
				p.Lose(errBoom)
				p = k.Assign("orders", 0)
				fresh := k.Assign("orders", 1)
				fresh.Append("x")
				expect(t, "deliveries of what came back", attempts(p), "")
				if name == "topic" {
					expect(t, "state of what came for the first time", fresh.Status().State, messages.StatePaused)
				} else {
					expect(t, "deliveries of a partition that was not named", attempts(fresh), "0#0/1")
				}
				other.Append("y")
				expect(t, "deliveries of another topic", attempts(other), "0#0/1")

				if err := k.Resume("orders", partitions...); err != nil {
					t.Fatal(err)
				}
				expect(t, "deliveries", attempts(p), "1#0/1")
				expect(t, "deliveries", attempts(fresh), "0#0/1")
				p.Revoke()
				p = k.Assign("orders", 0)
				p.Append("c")
				expect(t, "deliveries of what came back after that", attempts(p), "2#0/1")
				expect(t, "pauses in the status", len(k.Status().Pauses), 0)
			})
		})
	}
}

// The answer tells each partition that is owned; events and the log tell who it was.
func TestPauseAnswers(t *testing.T) {
	cfg := config{Handler: failOn(0, 1, consumertest.Work(time.Minute)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		busy, idle := k.Assign("orders", 1), k.Assign("orders", 0)
		k.Assign("letters", 0)
		busy.Append("a", "b")
		res := k.Do(&messages.Pause{Topic: "orders", Partitions: []int32{1, 5}, By: "ann"})
		want := []messages.PartitionResult{{Partition: 1, Head: 0, State: messages.StateBusy, Changed: true}}
		if res.Err != nil || !slices.Equal(res.Partitions, want) {
			t.Errorf("answered %+v", res)
		}
		leaving := k.Assign("orders", 2)
		leaving.Append("x")
		leaving.StartRevoke(time.Hour)
		res = k.Do(&messages.Pause{Topic: "orders", By: "bob"})
		want = []messages.PartitionResult{
			{Partition: 0, Head: 0, State: messages.StatePaused, Changed: true},
			{Partition: 1, Head: 0, State: messages.StateBusy},
		}
		if res.Err != nil || !slices.Equal(res.Partitions, want) {
			t.Errorf("answered %+v", res)
		}
		k.Advance(time.Hour)
		expect(t, "the record in flight was committed", busy.Committed(), 1)
		expect(t, "by whom", busy.Status().PausedBy, "ann")
		expect(t, "by whom", idle.Status().PausedBy, "bob")
		st := k.Status()
		if len(st.Pauses) != 3 || st.Pauses[0].Partition != -1 || st.Pauses[0].By != "bob" || st.Pauses[1].By != "ann" || st.Pauses[2].Partition != 5 {
			t.Errorf("pauses %+v", st.Pauses)
		}
		if !st.Health.Ready || !strings.Contains(strings.Join(st.Health.Reasons, "\n"), "orders/1 is paused at offset 1 by ann since ") {
			t.Errorf("health %+v", st.Health)
		}
		res = k.Do(&messages.Resume{Topic: "orders", Partitions: []int32{1}, By: "carl"})
		// The record behind the head was dropped from memory, and is fetched again: that may have been quicker than the answer.
		want = []messages.PartitionResult{{Partition: 1, Head: 1, State: messages.StateBusy, Changed: true}}
		idleYet := []messages.PartitionResult{{Partition: 1, Head: 1, State: messages.StateIdle, Changed: true}}
		if res.Err != nil || !slices.Equal(res.Partitions, want) && !slices.Equal(res.Partitions, idleYet) {
			t.Errorf("answered %+v", res)
		}
		expect(t, "deliveries", attempts(busy), "0#0/1 1#0/1")
		idle.Append("x")
		expect(t, "deliveries of what is still paused", attempts(idle), "")
		if e := eventsOf[*messages.Paused](k); len(e) != 2 || e[0].By != "ann" || !slices.Equal(e[0].Partitions, []int32{1, 5}) || e[1].Partitions != nil || e[1].Topic != "orders" {
			t.Errorf("events %+v", e)
		}
		if e := eventsOf[*messages.Resumed](k); len(e) != 1 || e[0].By != "carl" || e[0].Topic != "orders" || !slices.Equal(e[0].Partitions, []int32{1}) {
			t.Errorf("events %+v", e)
		}
		if !logged(k, "operator", "Pause", "ann") || !logged(k, "operator", "Resume", "carl") {
			t.Error("not in the log")
		}
	})
}

// While a partition is paused, a revocation is prompt and an operator's other commands are carried out.
func TestAPausedPartitionObeys(t *testing.T) {
	cfg := config{Handler: failOn(0, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c", "d")
		if err := k.Pause("orders"); err != nil {
			t.Fatal(err)
		}
		expect(t, "what is parked and paused", p.Status().State, messages.StateParked)
		if err := p.Retry(0); err != nil {
			t.Fatal(err)
		}
		expect(t, "un-parked", p.Status().State, messages.StatePaused)
		if err := p.Skip(0); err != nil {
			t.Fatal(err)
		}
		if res := k.Do(&messages.DeadLetterHead{Head: p.Head(1), To: "orders.dlt"}); res.Err != nil {
			t.Fatal(res.Err)
		}
		if err := p.Park(2, "not now"); err != nil {
			t.Fatal(err)
		}
		if err := k.Resume("orders"); err != nil {
			t.Fatal(err)
		}
		expect(t, "what is parked", p.Status().State, messages.StateParked)
		if err := k.Pause("orders"); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1")
		expect(t, "the release took", p.Revoke(), 0)
		expect(t, "committed", p.Committed(), 2)
	})
}

func TestPausesThatAreRefused(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.Work(time.Minute))}
	cfg.Topics = []string{"orders"}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		refused := func(text, topic string, partitions []int32) {
			t.Helper()
			for _, cmd := range []messages.Command{
				&messages.Pause{Topic: topic, Partitions: partitions, By: "ann"},
				&messages.Resume{Topic: topic, Partitions: partitions, By: "ann"},
			} {
				if res := k.Do(cmd); res.Err == nil || !strings.Contains(res.Err.Error(), text) || len(res.Partitions) > 0 {
					t.Errorf("%T %s %v: %+v", cmd, topic, partitions, res)
				}
			}
		}
		refused("names no topic", "", nil)
		refused("does not subscribe", "order", nil)
		refused("names no partition", "orders", []int32{})
		refused("no partition -1", "orders", []int32{0, -1})
		if n := len(k.Status().Pauses) + len(eventsOf[*messages.Paused](k)) + len(eventsOf[*messages.Resumed](k)); n > 0 {
			t.Errorf("%d traces of what was refused", n)
		}
		p.Append("a")
		k.Tell(&messages.Drain{})
		refused("drains", "orders", nil)
	})
}

// An embedded consumer that its parent restarts is another member, and nothing is paused in it.
func TestAPauseEndsWithTheConsumer(t *testing.T) {
	cfg := config{Handler: consumertest.Script()}
	embedded(t, cfg, &boss{}, func(t *testing.T, k *kit) {
		k.Assign("orders", 0)
		if err := k.Pause("orders"); err != nil {
			t.Fatal(err)
		}
		process, _ := k.System().ProcessRegistry.Get(k.PID())
		process.SendSystemMessage(k.PID(), &actor.Restart{})
		k.Advance(time.Minute)
		expect(t, "ended", k.Ends(), 1)
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "deliveries", attempts(p), "0#0/1")
	})
}
