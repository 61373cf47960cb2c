package conn

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrClosed is the answer after [Cluster.Close].
var ErrClosed = errors.New("the cluster's connections are closed")

// NoBrokerError says that no broker gave a good answer. It unwraps to what each of them said instead.
type NoBrokerError struct{ Errs []error }

// Error lists what the brokers said.
func (e *NoBrokerError) Error() string {
	all := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		all[i] = err.Error()
	}
	return "no broker gives an answer: " + strings.Join(all, "; ")
}

// Unwrap returns what each broker said.
func (e *NoBrokerError) Unwrap() []error { return e.Errs }

type answer[T any] struct {
	value T
	err   error
	addr  string
}

// Ask puts one question to any broker, each on a short-lived connection of its own: to one, to the next as soon
// as that has failed or has been silent for the hedge, and so on. The first good answer counts, the others are
// cut off. What f takes for an error is no answer. f runs in several goroutines.
//
// The error is a *[NoBrokerError], the cause of ctx's end, or [ErrClosed].
func Ask[T any](ctx context.Context, c *Cluster, f func(Conn) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errAnswered) // the losers' connections are cut; Close waits for their goroutines
	defer context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })()

	left := c.order()
	answers := make(chan answer[T], len(left))
	hedge := time.NewTimer(0)
	defer hedge.Stop()
	var (
		failed []error
		asked  = map[string]time.Time{} // who has not answered yet, and since when
	)
	for len(left) > 0 || len(asked) > 0 {
		select {
		case a := <-answers:
			delete(asked, a.addr)
			c.note(a.addr, a.err == nil)
			if a.err == nil {
				for addr, since := range asked {
					if time.Since(since) >= c.settings.Hedge {
						c.note(addr, false)
					}
				}
				return a.value, nil
			}
			failed = append(failed, a.err)
			hedge.Reset(0)
		case <-hedge.C:
			if len(left) == 0 {
				break
			}
			addr := left[0]
			left = left[1:]
			if !c.start(func() {
				v, err := ask(ctx, c, addr, f)
				answers <- answer[T]{v, err, addr}
			}) {
				return none, ErrClosed
			}
			asked[addr] = time.Now()
			hedge.Reset(c.settings.Hedge)
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrClosed) {
				return none, ErrClosed
			}
			for addr := range asked {
				c.note(addr, false)
				failed = append(failed, silent(addr, context.Cause(ctx)))
			}
			if len(failed) == 0 {
				return none, context.Cause(ctx)
			}
			return none, &NoBrokerError{failed}
		}
	}
	return none, &NoBrokerError{failed}
}

var errAnswered = errors.New("another broker has answered")

func ask[T any](ctx context.Context, c *Cluster, addr string, f func(Conn) (T, error)) (T, error) {
	cn := c.settings.Dial(addr)
	defer cn.Kill()
	v, _, err := send(ctx, cn, addr, f)
	return v, err
}

// start runs f in a goroutine that Close waits for. False: the cluster is closed.
func (c *Cluster) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.asking.Go(f)
	return true
}
