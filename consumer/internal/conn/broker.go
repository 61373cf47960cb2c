package conn

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

// forever is the read timeout that sarama gets. Its own would apply to every request alike and cut a JoinGroup,
// which rightly waits for the rebalance timeout; each request's deadline is kept by Kill instead.
const forever = 24 * time.Hour

// Dialer makes connections and keeps account of them. Its methods are safe for concurrent use.
type Dialer struct {
	config sarama.Config

	mu     sync.Mutex
	open   map[*Broker]struct{}
	closed bool
	done   sync.WaitGroup // one for each connection that is not at its end yet
}

// NewDialer copies the configuration, of which it uses Net, Version, ClientID, RackID and MetricRegistry.
func NewDialer(config *sarama.Config) (*Dialer, error) {
	d := &Dialer{config: *config, open: map[*Broker]struct{}{}}
	d.config.Net.ReadTimeout = forever
	if err := d.config.Validate(); err != nil {
		return nil, fmt.Errorf("sarama refuses the configuration: %w", err)
	}
	return d, nil
}

// Dial is Open as a [Conn].
func (d *Dialer) Dial(addr string) Conn { return d.Open(addr) }

// Open begins to connect to a broker and returns at once; addr is host:port. After Close it returns a
// connection that is dead already.
func (d *Dialer) Open(addr string) *Broker {
	b := &Broker{Broker: sarama.NewBroker(addr), dialer: d}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		b.cancel()
		b.killed = true
		return b
	}
	d.open[b] = struct{}{}
	d.done.Add(1)
	d.mu.Unlock()

	config := d.config // a copy for each: sarama writes to it
	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, &hook{broker: b, config: &d.config}
	security.Bind(b.ctx, &config, func(err error) { b.refused.Store(&err) })
	if err := b.Broker.Open(&config); err != nil { // only the configuration can be wrong here, and NewDialer has looked
		b.Kill()
	}
	return b
}

// Close kills every connection and waits for their end. Requests in flight fail.
func (d *Dialer) Close() {
	d.mu.Lock()
	d.closed = true
	all := make([]*Broker, 0, len(d.open))
	for b := range d.open {
		all = append(all, b)
	}
	d.mu.Unlock()
	for _, b := range all {
		b.Kill()
	}
	d.done.Wait()
}

// gone is called once for each connection, at its end.
func (d *Dialer) gone(b *Broker) {
	d.mu.Lock()
	delete(d.open, b)
	d.mu.Unlock()
	d.done.Done()
}

// Broker is a real connection: sarama's, with a Kill. Of the embedded Broker use the requests only; Close and
// Connected wait for the request in flight.
//
// A broker that throttles its client (KIP-219) makes sarama sleep before the next request; Kill does not cut
// that sleep, which for the requests of a group lasts a second at most.
type Broker struct {
	*sarama.Broker

	dialer *Dialer
	ctx    context.Context //nolint:containedctx // its end is the connection's: the dial in flight stops
	cancel context.CancelFunc

	refused atomic.Pointer[error] // see Refused

	mu     sync.Mutex
	raw    net.Conn
	killed bool
}

// Refused is the error of SASL.Token if that is why the connection was not made. sarama knows it too, but forgets it
// when the connection is closed: with (1) a request waiting for the lock under which the token is waited for, (2) its time
// over, Kill waiting for the same lock to close, and (3) the token given up, Close may be first, and the request is told
// of a connection that is closed.
func (b *Broker) Refused() error {
	if err := b.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// Kill implements [Conn].
func (b *Broker) Kill() {
	b.mu.Lock()
	if b.killed {
		b.mu.Unlock()
		return
	}
	b.killed = true
	raw := b.raw
	b.mu.Unlock()

	b.cancel()
	if raw != nil {
		_ = raw.Close()
	}
	go func() { // sarama's Close waits for the request in flight, which is about to fail; Dialer.Close waits for this
		defer b.dialer.gone(b)
		_ = b.Broker.Close() // ends sarama's reader; it answers ErrNotConnected where there was none
	}()
}

// remember takes the net.Conn that was dialled, unless Kill came first: then nobody would close it.
func (b *Broker) remember(c net.Conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.killed {
		return net.ErrClosed
	}
	b.raw = c
	return nil
}
