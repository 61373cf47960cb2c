package supervisor

import (
	"fmt"
	"slices"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// posted is a mailbox that writes down what passes the gate.
type posted struct {
	actor.Mailbox

	got []string
}

func (p *posted) PostUserMessage(m any)   { p.got = append(p.got, fmt.Sprintf("%T", m)) }
func (p *posted) PostSystemMessage(m any) { p.got = append(p.got, fmt.Sprintf("%T", m)) }

// protoactor resurrects an actor that finds a Restart behind its Stop: unregistered, it would join the group again, and
// nobody could end it. 1. a poison pill is held back while an escalated failure drains; 2. the group has been left: the
// Stop passes, and the parent is told of the failure; 3. the parent restarts the child before the Stop was handled.
func TestTheGateDropsARestartBehindAStop(t *testing.T) {
	in := &posted{}
	g := &gate{Mailbox: in}
	g.PostUserMessage(&actor.PoisonPill{})
	g.PostSystemMessage(openGate{})
	g.PostSystemMessage(&actor.Restart{})
	want := []string{"*supervisor.leaveRequest", "*actor.Stop"}
	if !slices.Equal(in.got, want) {
		t.Errorf("passed %v, want %v", in.got, want)
	}
}

// A Restart that nobody has stopped passes, and the gate closes again behind it.
func TestTheGateLetsOneRestartPass(t *testing.T) {
	in := &posted{}
	g := &gate{Mailbox: in}
	g.PostSystemMessage(openGate{})
	g.PostSystemMessage(&actor.Restart{})
	g.PostSystemMessage(&actor.Stop{})
	want := []string{"*actor.Restart", "*supervisor.leaveRequest"}
	if !slices.Equal(in.got, want) {
		t.Errorf("passed %v, want %v", in.got, want)
	}
}
