package supervisor_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A panic, or a Goexit, before each message that the supervisor gets and behind it, in a middleware of the application's: the
// message is lost, or what comes after it in protoactor. A message that is new makes the test fail, unless the script of a run
// has it.
func TestAFaultAtEachMessage(t *testing.T) {
	made := func(cut bool) func(*trap) *injection {
		return func(trap *trap) *injection {
			in := &injection{trap: trap, cut: cut}
			in.wrap = in.messages
			return in
		}
	}
	points := inject(t, made(false), true)
	points = append(points, inject(t, made(true), true, "leaveRequest", "messages.Stop", "messages.Kill")...)
	known := messagesOf(t, "supervisor.go", "Receive", "supervisor")
	if len(known) < 10 {
		t.Fatalf("Receive knows only of %v", known)
	}
	for _, name := range known {
		names := []string{name}
		if name == "messages.Command" {
			names = commands(t)
		}
		for _, name := range names {
			if !slices.Contains(points, "before "+name) {
				t.Errorf("there was no fault at %s", name)
			}
		}
	}
}

// An answer is lost that the end waits for: that of the leave, or the last message of all. The consumer ends nevertheless.
func TestAnAnswerThatIsLostAtTheEnd(t *testing.T) {
	for name, lost := range map[string]func(armed *atomic.Bool, link *supervisor.Link){
		"of the leave": func(armed *atomic.Bool, link *supervisor.Link) {
			link.Membership = arming{Membership: link.Membership, armed: armed}
		},
		"of the end": func(armed *atomic.Bool, link *supervisor.Link) {
			link.Committer = armingCommitter{link.Committer, armed}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			b := &boss{decide: func(int, error) actor.Directive { return actor.StopDirective }}
			setup := consumertest.Setup{Config: config{Handler: consumertest.Script()}, Adjust: func(set *supervisor.Settings) {
				connect := set.Connect
				set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) {
					link, err := connect(inbox)
					lost(&armed, &link)
					return link, err
				}
			}, Parent: func(props *actor.Props) *actor.Props {
				props.Configure(actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
					return func(ctx actor.ReceiverContext, m *actor.MessageEnvelope) {
						if fmt.Sprintf("%T", m.Message) == "*supervisor.told" && armed.CompareAndSwap(true, false) {
							panic("lost")
						}
						next(ctx, m)
					}
				}))
				return actor.PropsFromProducer(func() actor.Actor { return &shop{b, props} }, actor.WithSupervisor(b))
			}}
			setup.Run(t, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Tell(&messages.Drain{})
				k.Advance(2 * time.Minute)
				expect(t, "lost", !armed.Load() && logged(k, "the supervisor failed", "lost"), true)
				expect(t, "ended", k.Ends(), 1)
				expect(t, "told of the end", len(b.ends()), 1)
				expect(t, "committed", p.Committed(), 1)
			})
		})
	}
}

// arming lets the next message be lost when the group has been left.
type arming struct {
	supervisor.Membership
	armed *atomic.Bool
}

func (a arming) Leave(ctx context.Context) error {
	err := a.Membership.Leave(ctx)
	a.armed.Store(true)
	return err
}

// armingCommitter lets it when the link has been closed.
type armingCommitter struct {
	supervisor.Committer
	armed *atomic.Bool
}

func (a armingCommitter) Stop() {
	a.Committer.Stop()
	a.armed.Store(true)
}

// messages puts points before and behind each message of the supervisor's.
func (in *injection) messages(props *actor.Props) {
	props.Configure(actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.ReceiverContext, m *actor.MessageEnvelope) {
			name := fmt.Sprintf("%T", m.Message)
			in.pass("before " + name)
			next(ctx, m)
			in.pass("behind " + name)
		}
	}))
}

// messagesOf are the types in the first type switch of a method, as %T prints them.
func messagesOf(t *testing.T, file, method, pkg string) (names []string) {
	t.Helper()
	for _, d := range parsed(t, file).Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != method {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					names = append(names, printed(e, pkg))
				}
			}
			return true
		})
	}
	return names
}

// commands are the types that are a messages.Command.
func commands(t *testing.T) (names []string) {
	t.Helper()
	for _, d := range parsed(t, "../messages/command.go").Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "command" {
			names = append(names, printed(f.Recv.List[0].Type, "messages"))
		}
	}
	return names
}

func parsed(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func printed(e ast.Expr, pkg string) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return "*" + printed(e.X, pkg)
	case *ast.SelectorExpr:
		return printed(e.X, "") + e.Sel.Name
	case *ast.Ident:
		if pkg == "" {
			return e.Name + "."
		}
		return pkg + "." + e.Name
	}
	return strings.Repeat("?", 3)
}
