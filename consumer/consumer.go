package consumer

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Consumer runs a Config for those who do not know actors: New, then Run. Its methods are safe for concurrent use.
type Consumer struct {
	Ref

	set   supervisor.Settings
	sys   *actor.ActorSystem
	ended chan struct{}
	cast  broadcast

	mu  sync.Mutex
	pid *actor.PID
	ran bool
	err error
}

// ErrRan is what Run answers the second time. Make another Consumer.
var ErrRan = errors.New("ottla: a Consumer runs once")

// New validates the Config, all faults together, and starts nothing.
func New(cfg Config) (*Consumer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	set, err := kafkaSettings(cfg)
	if err != nil {
		return nil, err
	}
	c := &Consumer{set: set, ended: make(chan struct{}), sys: newSystem(cfg.Logger)}
	c.set.Ended = c.end
	c.set.Event = c.cast.publish
	c.Ref = Ref{sys: c.sys, pid: c.running, events: &c.cast}
	return c, nil
}

// newSystem keeps protoactor's own lines in the same log, and below the levels that people read: at Info it would
// print each failure once more.
func newSystem(log *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(quieter{unfailing(log).Handler()})
	}))
}

// quieter turns what is below Warn into Debug.
type quieter struct{ slog.Handler }

// Enabled asks for the level that the line will have.
func (q quieter) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, lowered(l))
}

// Handle passes the line on.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	return q.Handler.Handle(ctx, r)
}

// WithAttrs keeps the handler quiet.
func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler quiet.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }

func lowered(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return min(l, slog.LevelDebug)
	}
	return l
}

func (c *Consumer) running() *actor.PID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

func (c *Consumer) end(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.ended)
	c.cast.end()
}

// Run consumes until ctx ends, which starts a drain: nothing more is fetched, what is in flight finishes (handlers'
// contexts do not end with ctx), offsets are committed, the group is left. It blocks.
//
// It returns nil after a clean drain, or stop, and only then: everything that was in flight has ended, what was finished is
// committed, and the group was left. Else it returns *messages.EscalatedError when a failure was escalated;
// *messages.DrainError when handlers did not return within DrainTimeout and were left behind, or last offsets could not be
// committed; *messages.LeaveError when the group was not left in order (several of these are joined: use errors.As);
// messages.ErrKilled after a kill; or why the group refused the member.
func (c *Consumer) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.ran {
		c.mu.Unlock()
		return ErrRan
	}
	c.ran = true
	c.pid = c.sys.Root.Spawn(supervisor.Props(c.set))
	pid := c.pid
	c.mu.Unlock()
	gone := watch(c.sys, pid)
	stop := context.AfterFunc(ctx, func() { c.sys.Root.Send(pid, &messages.Drain{}) })
	defer stop()
	<-c.ended
	<-gone
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = nil
	c.sys.Shutdown()
	return c.err
}

// RunUntilSignal is Run, ended by signals: the first one drains, the second one stops (handlers' contexts end at
// once), the third one kills (nothing more is committed). Default: SIGINT and SIGTERM.
func (c *Consumer) RunUntilSignal(ctx context.Context, signals ...os.Signal) error {
	if len(signals) == 0 {
		signals = []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	}
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	got := make(chan os.Signal, 3)
	signal.Notify(got, signals...)
	defer signal.Stop(got)
	var watcher sync.WaitGroup
	over := make(chan struct{})
	watcher.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-over:
				return
			case sig := <-got:
				c.set.Logger.Info("signal", slog.String("signal", sig.String()), slog.Int("number", n))
				switch n {
				case 1:
					drain()
				case 2:
					c.tell(&messages.Stop{})
				default:
					c.tell(&messages.Kill{})
				}
			}
		}
	})
	err := c.Run(ctx)
	close(over)
	watcher.Wait()
	return err
}

func (c *Consumer) tell(message any) {
	if pid := c.running(); pid != nil {
		c.sys.Root.Send(pid, message)
	}
}

// Drain starts a drain, as the end of Run's ctx does, and waits for the end of the consumer or of ctx. nil means that it
// has ended; whether that was clean, Run answers.
func (c *Consumer) Drain(ctx context.Context) error { return c.finish(ctx, &messages.Drain{}) }

// Stop ends handlers' contexts at once with messages.ErrStopped, commits what is finished, leaves the group, and
// waits for the end of the consumer or of ctx. It also cuts a drain short. nil means that the consumer has ended; whether
// that was clean, Run answers.
func (c *Consumer) Stop(ctx context.Context) error { return c.finish(ctx, &messages.Stop{}) }

// Kill ends the consumer as a crash would: nothing more is committed, the group is not left, and the other
// members wait for the session timeout. It does not wait; Done tells the end, and Run answers messages.ErrKilled.
func (c *Consumer) Kill() { c.tell(&messages.Kill{}) }

// Done is closed when the consumer has ended.
func (c *Consumer) Done() <-chan struct{} { return c.ended }

func (c *Consumer) finish(ctx context.Context, how any) error {
	if c.running() == nil {
		select {
		case <-c.ended:
			return nil
		default:
			return ErrNotRunning
		}
	}
	c.tell(how)
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
