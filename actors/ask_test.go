package actors

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// clerk is another actor of the application: it is asked, and replies when the test says so.
type clerk struct {
	r     *rig
	pid   *actor.PID
	asked []*actor.PID // who is to get the replies, in the order of the questions
}

// hires starts a clerk, and with it a claim whose actor asks it about each record, with a minute's patience. What it says
// about an Answer is incarnation, record, and what is in it. It completes the record if answered is nil. A test whose
// actor does something else sets receive before.
func (r *rig) hires(answered func(actor.Context, *messages.Answer)) *clerk {
	c := &clerk{r: r}
	asks := func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *messages.Record:
			Ask(ctx, msg, c.pid, "is it right?", time.Minute)
		case *messages.Answer:
			r.say("%d: answer %d/%d: %v, %v", incarnationOf(ctx), msg.Record.Offset, msg.Record.Attempt, msg.Value, msg.Err)
			if answered != nil {
				answered(ctx, msg)
			} else if !msg.Record.Complete(msg.Err) {
				r.t.Errorf("completing %v: %v", msg.Record, msg.Record.Stale())
			}
		case error:
			panic(msg)
		}
	}
	if r.receive == nil {
		r.receive = asks
	}
	r.withActor()
	c.pid = r.sys.Root.Spawn(actor.PropsFromFunc(c.Receive))
	return c
}

func incarnationOf(ctx actor.Context) int { return ctx.Actor().(*partition).user.(*probe).n }

// Receive notes whom it is to reply to.
func (c *clerk) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(string); ok {
		c.r.locked(func() { c.asked = append(c.asked, ctx.Sender()) })
	}
}

// reply is the clerk's to question n.
func (c *clerk) reply(n int, reply any) {
	c.r.t.Helper()
	synctest.Wait()
	if n >= len(c.asked) {
		c.r.t.Fatalf("there were %d questions", len(c.asked))
	}
	c.r.sys.Root.Send(c.asked[n], reply)
	synctest.Wait()
}

// wantOpen checks how many questions are registered.
func (r *rig) wantOpen(want int) {
	r.t.Helper()
	synctest.Wait()
	var open []string
	for _, bucket := range r.sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		bucket.IterCb(func(id string, _ any) {
			if strings.HasPrefix(id, "ask$") {
				open = append(open, id)
			}
		})
	}
	if len(open) != want {
		r.t.Errorf("%d questions are registered (%v), want %d", len(open), open, want)
	}
}

// The reply comes as a message, while the record is open; others come before it, and the next record waits.
func TestAskBringsTheReply(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		r.deliver(0, 1)
		r.wantOpen(1)
		r.send("hello")
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 hello")
		time.Sleep(time.Minute - time.Nanosecond) // a nanosecond before the time is over
		c.reply(0, "yes")
		r.said("1: answer 0/0: yes, <nil>", "1: 1/0")
		r.wantCommitted(1)
		c.reply(1, errors.New("no")) // an error that is replied is a reply
		r.said("1: answer 1/0: no, <nil>")
		r.wantCommitted(2)
		r.wantOpen(0)
		r.wantFaults()
	})
}

// No reply comes in time, and then one does.
func TestAskTimesOut(t *testing.T) {
	bubble(t, func(r *rig) {
		var answer *messages.Answer
		c := r.hires(func(_ actor.Context, a *messages.Answer) { answer = a })
		r.deliver(0)
		time.Sleep(time.Minute - time.Nanosecond)
		r.said("1 started", "1 assigned at 0", "1: 0/0")
		time.Sleep(time.Nanosecond)
		r.said(fmt.Sprintf("1: answer 0/0: <nil>, ottla: no reply from %s within 1m0s", c.pid.Id))
		r.wantOpen(0)
		if !errors.Is(answer.Err, messages.ErrNoReply) || errors.Is(answer.Err, messages.ErrNoActor) {
			t.Errorf("%v", answer.Err)
		}
		c.reply(0, "yes") // it is open, but has had its Answer
		r.said()
		if !answer.Record.Complete(nil) {
			t.Error("the completion did not count")
		}
		r.wantCommitted(1)
	})
}

// Nobody is there, or the question cannot be asked: that is known at once.
func TestAskOfNobody(t *testing.T) {
	for name, ask := range map[string]struct {
		of      func(r *rig, c *clerk) (to *actor.PID, timeout time.Duration)
		noActor bool
		want    string
	}{
		"an actor that has ended": {func(r *rig, c *clerk) (*actor.PID, time.Duration) {
			r.sys.Root.Stop(c.pid)
			synctest.Wait()
			return c.pid, time.Minute
		}, true, "ottla: no reply: there is no such actor"},
		"an actor that never was": {func(r *rig, _ *clerk) (*actor.PID, time.Duration) {
			return actor.NewPID(r.sys.Address(), "nobody"), time.Minute
		}, true, "ottla: no reply: there is no such actor"},
		"no PID": {func(*rig, *clerk) (*actor.PID, time.Duration) { return nil, time.Minute }, true,
			"ottla: no reply: there is no such actor: the PID is nil"},
		"no time": {func(_ *rig, c *clerk) (*actor.PID, time.Duration) { return c.pid, 0 }, false,
			"ottla: no reply: the timeout of Ask is 0s; give one above 0"},
		"less than no time": {func(_ *rig, c *clerk) (*actor.PID, time.Duration) { return c.pid, -time.Second }, false,
			"ottla: no reply: the timeout of Ask is -1s; give one above 0"},
	} {
		bubbleOf(t, name, func(r *rig) {
			c := r.hires(nil)
			to, timeout := ask.of(r, c)
			r.receive = func(ctx actor.Context) {
				switch msg := ctx.Message().(type) {
				case *messages.Record:
					Ask(ctx, msg, to, "is it right?", timeout)
				case *messages.Answer:
					if !errors.Is(msg.Err, messages.ErrNoReply) || errors.Is(msg.Err, messages.ErrNoActor) != ask.noActor || msg.Value != nil {
						r.t.Errorf("%v, %v", msg.Value, msg.Err)
					}
					r.say("%v", msg.Err)
					msg.Record.Complete(nil)
				}
			}
			r.said("1 started", "1 assigned at 0")
			r.deliver(0) // no time passes
			r.said("1: 0/0", ask.want)
			r.wantCommitted(1)
			r.wantOpen(0)
			if len(c.asked) > 0 {
				r.t.Errorf("%d questions were sent", len(c.asked))
			}
		})
	}
}

// The other actor panics at the question, and its supervisor restarts it: the question is gone.
func TestAskOfAnActorThatPanics(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hires(nil)
		bomb := r.sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Restarting:
				r.say("it restarts")
			case string:
				panic("what a question")
			}
		}))
		r.locked(func() { r.log = nil })
		asks := r.receive
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				Ask(ctx, rec, bomb, "is it right?", time.Second)
				return
			}
			asks(ctx)
		}
		r.verdict = skip
		r.deliver(0)
		r.said("1: 0/0", "it restarts")
		time.Sleep(time.Second)
		r.said(fmt.Sprintf("1: answer 0/0: <nil>, ottla: no reply from %s within 1s", bomb.Id))
		r.wantFaults("Handler 0/0") // the actor's own: it has completed the record with the Answer's error
		r.wantCommitted(1)
	})
}

// Three more questions about one record are three more Answers, until it is complete: what is under way then is dropped, and
// what is not is given up.
func TestAskMoreThanOnceAboutOneRecord(t *testing.T) {
	bubble(t, func(r *rig) {
		var c *clerk
		c = r.hires(func(ctx actor.Context, a *messages.Answer) {
			switch a.Value {
			case "ask on":
				for range 3 {
					Ask(ctx, a.Record, c.pid, "and now?", time.Hour)
				}
			case "that is all":
				a.Record.Complete(nil)
			}
		})
		r.deliver(0)
		c.reply(0, "ask on")
		r.wantOpen(3)
		c.reply(3, "so far")
		r.wantOpen(2)
		c.reply(1, "that is all")
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: answer 0/0: ask on, <nil>", "1: answer 0/0: so far, <nil>", "1: answer 0/0: that is all, <nil>")
		r.wantCommitted(1)
		r.wantOpen(0) // the other one had almost an hour
		c.reply(2, "late")
		r.said()
	})
}

// Whoever asks about a record that is not open gets no Answer, and the other actor no question.
func TestAskAboutARecordThatIsNotOpen(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		var first *messages.Record
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				if first == nil {
					first = msg
				}
				msg.Complete(nil)
				Ask(ctx, msg, c.pid, "is it right?", time.Second)
			case string:
				Ask(ctx, first, c.pid, "was it right?", time.Second)
				Ask(ctx, &messages.Record{}, c.pid, "is it one?", time.Second) // nobody has delivered it
			case *messages.Answer:
				r.say("an answer: %v", msg.Err)
			}
		}
		r.deliver(0, 1)
		r.send("ask")
		time.Sleep(time.Minute)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 1/0", "1 ask")
		r.wantCommitted(2)
		r.wantOpen(0)
		if len(c.asked) > 0 {
			t.Errorf("%d questions were sent", len(c.asked))
		}
	})
}

// A panic, or a Goexit, at an Answer is its record's failure, so that the policy can give up that record. One that was
// completed before is done; and an Answer that is about no open record is a message like any other.
func TestAPanicAtAnAnswerIsTheRecordsFailure(t *testing.T) {
	complete := func(err error) func(*messages.Answer) {
		return func(a *messages.Answer) { a.Record.Complete(err); panic("boom") }
	}
	for name, c := range map[string]struct {
		answered func(*messages.Answer)
		faults   string
		next     int64
	}{
		"panics":               {func(*messages.Answer) { panic("boom") }, "Panic 0/0", 1},
		"fails and panics":     {complete(errors.New("no")), "Panic 0/0", 1},
		"completes and panics": {complete(nil), "Panic", 1},
	} {
		bubbleOf(t, name, func(r *rig) {
			r.verdict = skip
			clerk := r.hires(func(_ actor.Context, a *messages.Answer) { c.answered(a) })
			r.deliver(0)
			clerk.reply(0, "yes")
			r.said("1 started", "1 assigned at 0", "1: 0/0", "1: answer 0/0: yes, <nil>")
			if f := r.last().fault; !strings.Contains(f.Err.Error(), "boom") {
				r.t.Errorf("%v", f.Err)
			}
			r.wantFaults(c.faults)
			r.wantCommitted(c.next)
		})
	}
	bubbleOf(t, "about nothing", func(r *rig) {
		r.hires(func(actor.Context, *messages.Answer) { panic("boom") })
		r.deliver(0)
		r.receive = func(ctx actor.Context) {
			if _, ok := ctx.Message().(*messages.Answer); ok {
				panic("boom")
			}
		}
		r.send(&messages.Answer{})
		r.wantFaults("Panic")
		r.wantFirst(0)
	})
}

// A child asks about a record that its parent has kept: the Answer is the child's, while the record is open.
func TestAskOfAChild(t *testing.T) {
	bubble(t, func(r *rig) {
		var c *clerk
		var child *actor.PID
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Started:
				child = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
					switch msg := ctx.Message().(type) {
					case *messages.Record:
						Ask(ctx, msg, c.pid, "is it right?", time.Minute)
						Ask(ctx, msg, c.pid, "is it really?", time.Minute)
					case *messages.Answer:
						r.say("child: answer %d/%d: %v, %v", msg.Record.Offset, msg.Record.Attempt, msg.Value, msg.Err)
						msg.Record.Complete(msg.Err)
					}
				}))
			case *messages.Record:
				msg.Keep()
				ctx.Send(child, msg)
			}
		}
		c = r.hires(nil)
		r.deliver(0)
		c.reply(1, "yes")
		c.reply(0, "late")
		r.said("1 started", "1 assigned at 0", "1: 0/0", "child: answer 0/0: yes, <nil>")
		r.wantCommitted(1)
		r.deliver(1)
		r.system(&actor.Restart{})
		c.reply(2, "late")
		c.reply(4, "yes")
		r.said("1: 1/0", "1 restarting", "1 terminated", "2 started", "2 assigned at 1", "2: 1/1", "child: answer 1/1: yes, <nil>")
		r.wantCommitted(2)
		time.Sleep(time.Minute) // no attempt owns them
		r.said()
		r.wantOpen(0)
	})
}

// A loop of questions about one record leaves nothing behind.
func TestAskAgainAndAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		var c *clerk
		left := 1000
		c = r.hires(func(ctx actor.Context, a *messages.Answer) {
			if n := len(r.box.attempt.inquiries); n > 1 {
				r.t.Errorf("%d questions are remembered", n)
			}
			if left--; left == 0 {
				a.Record.Complete(nil)
				return
			}
			Ask(ctx, a.Record, c.pid, "and now?", time.Second)
		})
		r.deliver(0)
		time.Sleep(time.Hour)
		r.wantCommitted(1)
		r.wantOpen(0)
	})
}
