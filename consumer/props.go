package consumer

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/supervisor"
)

// Props makes a consumer that is embedded in an application's own actor system: spawn it under one of your
// actors. The Config is validated here, not at the spawn.
//
//   - Ask it with *messages.GetStatus, *messages.RetryHead, *messages.SkipHead, *messages.Forward; follow it with
//     *messages.Subscribe; end it with *messages.Drain, *messages.Stop, *messages.Kill.
//   - End it with a poison pill (or Stop): it drains, commits, leaves its group, and then stops, so that Terminated
//     means "left". A parent is told Terminated without watching; one that watches too is told twice.
//   - When a failure is escalated, or the group refuses the member for good, it drains and leaves first; then the
//     parent's strategy decides. A Restart joins anew, with a fresh incarnation: after 1 s the first time, then after 2, 4 …,
//     a minute at most; one that has lasted for ten minutes begins again with 1 s.
//
// protoactor's PoisonFuture gives up after 10 s; use NewRef(sys, pid).Shutdown. Of opts, actor.WithMailbox must not be
// among them: the consumer's own mailbox is what turns a poison pill into a drain.
func Props(cfg Config, opts ...actor.PropsOption) (*actor.Props, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	set, err := kafkaSettings(cfg.WithDefaults())
	if err != nil {
		return nil, err
	}
	set.Embedded = true
	return supervisor.Props(set).Configure(opts...), nil
}
