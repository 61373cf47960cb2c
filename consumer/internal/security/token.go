package security

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

// tokenTimeout bounds SASL.Token. It is less than the time that a request of the group has (5 s), so that its error, and
// not a broker that does not answer, is what the user reads of.
const tokenTimeout = 3 * time.Second

// ErrToken is wrapped by the error of a connection whose SASL.Token failed.
var ErrToken = errors.New("SASL.Token failed")

// tokens asks SASL.Token. sarama calls it with the connection's lock held, so whatever waits for the connection, its end
// included, waits for it. Therefore it is the caller here who gives up, in time, and not only the function that is asked
// to: one that does not look at its ctx is left behind, and nobody can end it. There is one such goroutine at most,
// because the function is not called again before it has returned; who needs a token meanwhile waits for that one.
type tokens struct {
	ask func(context.Context) (string, error)

	mu     sync.Mutex
	asking *asking // nil: the function is not running
}

// asking is one call of the function.
type asking struct {
	done  chan struct{} // closed when token and err are there
	token string
	err   error
}

// Token implements sarama.AccessTokenProvider, which knows no context.
func (t *tokens) Token() (*sarama.AccessToken, error) { return t.within(context.Background()) }

func (t *tokens) within(ctx context.Context) (*sarama.AccessToken, error) {
	limit := time.NewTimer(tokenTimeout)
	defer limit.Stop()
	a := t.start()
	select {
	case <-a.done:
	case <-limit.C:
		return nil, fmt.Errorf("%w: it has not returned within %v, and is not called again before it does", ErrToken, tokenTimeout)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: it had not returned when the time of the connection's request was over", ErrToken)
	}
	if a.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, a.err)
	}
	return &sarama.AccessToken{Token: a.token}, nil
}

// start answers the call that is running, which is a new one where there was none.
func (t *tokens) start() *asking {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asking == nil {
		t.asking = &asking{done: make(chan struct{}), err: &messages.PanicError{Value: messages.Goexit}}
		go t.run(t.asking)
	}
	return t.asking
}

// run calls the function in a goroutine that it may panic in, or end.
func (t *tokens) run(a *asking) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			a.err = &messages.PanicError{Value: r, Stack: debug.Stack()}
		}
		t.mu.Lock()
		t.asking = nil
		t.mu.Unlock()
		close(a.done)
	}()
	a.token, a.err = t.ask(ctx)
}

// Bind makes the end of ctx, which is that of one connection, end its wait for a token. If there is none, failed is told
// why before sarama is.
func Bind(ctx context.Context, c *sarama.Config, failed func(error)) {
	if t, ok := c.Net.SASL.TokenProvider.(*tokens); ok {
		c.Net.SASL.TokenProvider = bound{ctx, t, failed}
	}
}

type bound struct {
	ctx    context.Context //nolint:containedctx // sarama's interface has no room for it
	tokens *tokens
	failed func(error)
}

// Token implements sarama.AccessTokenProvider.
func (b bound) Token() (*sarama.AccessToken, error) {
	token, err := b.tokens.within(b.ctx)
	if err != nil {
		b.failed(err)
	}
	return token, err
}
