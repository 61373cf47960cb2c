package actors

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// A question has a PID, to which anything can be sent. A system message is no reply; a Stop is the end of it.
func TestAQuestionIsAProcess(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		r.deliver(0)
		p, ok := r.sys.ProcessRegistry.Get(c.asked[0])
		if !ok {
			t.Fatal("it is not registered")
		}
		p.SendSystemMessage(c.asked[0], &actor.Watch{Watcher: c.pid})
		r.said("1 started", "1 assigned at 0", "1: 0/0")
		r.wantOpen(1)
		r.verdict = skip
		r.sys.Root.Stop(c.asked[0])
		r.said("1: answer 0/0: <nil>, ottla: no reply: the question's own PID was stopped")
		r.wantOpen(0)
		time.Sleep(time.Hour)
		r.said()
	})
}

// Whoever keeps the PID of a question keeps no record with it, nor a timer, and replies to nobody.
func TestAQuestionThatHasEndedPinsNothing(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		r.deliver(0)
		p, _ := r.sys.ProcessRegistry.Get(c.asked[0])
		c.reply(0, "yes")
		if q := p.(*inquiry); !q.ended() || q.timer.Stop() {
			t.Error("it holds on to its record, or its timer runs")
		}
		p.SendUserMessage(c.asked[0], "yes, yes") // as protoactor does, which remembers the process in the PID
		p.Stop(c.asked[0])
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: answer 0/0: yes, <nil>")
	})
}
