package supervisor

import (
	"log/slog"

	"github.com/ottla-go/ottla/actors"
)

// overtaken: the actor goes on already, and whoever waited for an answer is gone. There is nothing to decide:
//
//  1. Another partition fails, and an all-for-one strategy restarts all: the supervisor walks through its children.
//  2. This one's record fails meanwhile: the actor is suspended, and the question waits for the supervisor's turn to end.
//  3. The walk comes to this one, which does not wait for anything yet, and has it restarted. It delivers the record again.
//  4. The question is answered: the suspension, or the park, would be the fresh incarnation's.
//
// A claim that is given up between 3 and 4 gets no fresh incarnation: its restart only ends the suspension, and may do so before
// that has come, which the actor sends itself with the question. A record that it keeps would wait for its deadline then, where a
// message is to finish it. Another restart is as harmless, unless another question waits: it would take that one's answer.
func (s *supervisor) overtaken(c *claim, f *actors.Fault) {
	s.log.Warn("a failure was overtaken by a restart: a record that failed is delivered again", c.log(), slog.Any("error", f.Err))
	if c.leaving && c.mailbox.Fault() == nil {
		s.resume(c, true)
	}
}
