package conn

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

const patience = 10 * time.Second // for what takes milliseconds

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	return c
}

func dialer(t *testing.T, c *sarama.Config) *Dialer {
	t.Helper()
	d, err := NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// mute accepts connections and answers nothing.
func mute(t *testing.T) (addr string, accepted <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan struct{}, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
			ch <- struct{}{}
		}
		for _, c := range all {
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String(), ch
}

func within(t *testing.T, what string, ch <-chan error) error {
	t.Helper()
	select {
	case err := <-ch:
		return err
	case <-time.After(patience):
		t.Fatal(what + " did not end")
		return nil
	}
}

func metadata(c Conn) <-chan error {
	ch := make(chan error, 1)
	go func() {
		_, err := c.GetMetadata(&sarama.MetadataRequest{Version: 5})
		ch <- err
	}()
	return ch
}

func TestKillCutsTheRequestInFlight(t *testing.T) {
	addr, accepted := mute(t)
	c := dialer(t, config()).Dial(addr)
	ch := metadata(c)
	<-accepted
	c.Kill()
	if err := within(t, "the request", ch); err == nil {
		t.Error("nobody answered, and yet no error")
	}
	c.Kill()
	if err := within(t, "a request after it", metadata(c)); err == nil {
		t.Error("a dead connection answered")
	}
}

// blocked is a user's proxy that knows no context and never gets through.
type blocked struct {
	begun   chan struct{}
	release chan struct{}
}

func (b *blocked) Dial(string, string) (net.Conn, error) {
	close(b.begun)
	<-b.release
	return nil, errors.New("released")
}

func TestKillCutsADialThatKnowsNoContext(t *testing.T) {
	p := &blocked{make(chan struct{}), make(chan struct{})}
	defer close(p.release)
	cfg := config()
	cfg.Net.Proxy.Enable, cfg.Net.Proxy.Dialer = true, p
	d := dialer(t, cfg)
	c := d.Dial("127.0.0.1:1")
	ch := metadata(c)
	<-p.begun
	c.Kill()
	if err := within(t, "the request", ch); err == nil {
		t.Error("no error")
	}
}

func TestADialThatComesTooLateIsClosed(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	ours, theirs := net.Pipe()
	go cancel(errors.New("too long"))
	<-ctx.Done()
	release := make(chan struct{})
	if _, err := outwait(ctx, func() (net.Conn, error) { <-release; return ours, nil }); err == nil {
		t.Fatal("no error")
	}
	close(release)
	_ = theirs.SetReadDeadline(time.Now().Add(patience))
	if _, err := theirs.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the late connection is left open: %v", err)
	}
}

type counting struct {
	net.Dialer
	n atomic.Int32
}

func (c *counting) Dial(network, addr string) (net.Conn, error) {
	c.n.Add(1)
	return c.Dialer.Dial(network, addr)
}

func (c *counting) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c.n.Add(1)
	return c.Dialer.DialContext(ctx, network, addr)
}

func TestAUsersProxyIsUsed(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	p := &counting{}
	cfg := config()
	cfg.Net.Proxy.Enable, cfg.Net.Proxy.Dialer = true, p
	c := dialer(t, cfg).Dial(k.ListenAddrs()[0])
	if err := within(t, "the request", metadata(c)); err != nil || p.n.Load() != 1 {
		t.Errorf("got %v, %d dials through the proxy", err, p.n.Load())
	}
}

func TestCloseEndsEveryConnection(t *testing.T) {
	addr, accepted := mute(t)
	d, err := NewDialer(config())
	if err != nil {
		t.Fatal(err)
	}
	var all []<-chan error
	for range 10 {
		all = append(all, metadata(d.Dial(addr)))
		<-accepted
	}
	d.Close()
	for _, ch := range all {
		if within(t, "the request", ch) == nil {
			t.Error("no error")
		}
	}
	if within(t, "a request after it", metadata(d.Dial(addr))) == nil {
		t.Error("a closed dialer made a connection")
	}
	d.Close()
}

// handshakes is a broker that agrees to OAUTHBEARER and then waits for the token.
func handshakes(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(c net.Conn) {
		for {
			var size [4]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			q := make([]byte, binary.BigEndian.Uint32(size[:]))
			if _, err := io.ReadFull(c, q); err != nil {
				return
			}
			p := append(slices.Clone(q[4:8]), 0, 0, 0, 0, 0, 1, 0, 11) // correlation id, no error, one mechanism
			p = append(p, "OAUTHBEARER"...)
			_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// A function for tokens hangs, and sarama calls it with the connection's lock held. The request's deadline counts all the
// same, its error says what was waited for, and nothing waits for the function at the end.
func TestATokenThatHangsDoesNotHoldARequestUp(t *testing.T) {
	t.Parallel()
	called, release := make(chan struct{}, 10), make(chan struct{})
	defer close(release)
	cfg := config()
	cfg.ApiVersionsRequest = false
	err := security.Apply(cfg, security.TLS{}, security.SASL{Mechanism: security.OAuthBearer, Token: func(context.Context) (string, error) {
		called <- struct{}{}
		<-release
		return "", errors.New("too late")
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := dialer(t, cfg)
	c := NewCoordinator(d.Dial, "")
	c.Move(handshakes(t))
	for range 2 {
		answer := make(chan error, 1)
		go func() {
			// Long enough to reach the token on a busy machine; shorter than the 3 s after which the wait for one ends itself.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := Call(ctx, c, Heartbeats, func(cn Conn) (*sarama.HeartbeatResponse, error) { return cn.Heartbeat(&sarama.HeartbeatRequest{}) })
			answer <- err
		}()
		err := within(t, "the request", answer)
		if !errors.Is(err, security.ErrToken) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	if n := len(called); n != 1 {
		t.Errorf("%d calls hang", n)
	}
	closed := make(chan error, 1)
	go func() {
		c.Move("")
		d.Close()
		closed <- nil
	}()
	_ = within(t, "Close", closed)
}

func TestABadConfigurationIsRefused(t *testing.T) {
	c := config()
	c.Net.MaxOpenRequests = 0
	if _, err := NewDialer(c); err == nil {
		t.Error("accepted")
	}
}

func TestLookUpsOnARealProtocol(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(4, "orders"), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	d := dialer(t, config())
	c := NewCluster(Settings{Seeds: k.ListenAddrs()[:1], Dial: d.Dial, Version: sarama.V3_6_0_0})
	defer c.Close()
	for range 2 { // asking for a missing topic does not create it
		m, err := c.Topics(t.Context(), "orders", "missing")
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Topics["orders"]; got.Err != nil || len(got.Partitions) != 4 || got.Partitions[3].ID != 3 || got.Partitions[3].LeaderAddr == "" {
			t.Errorf("got %+v", got)
		}
		if got := m.Topics["missing"]; !errors.Is(got.Err, sarama.ErrUnknownTopicOrPartition) {
			t.Errorf("got %+v", got)
		}
	}
	if n := len(c.Brokers()); n != 3 {
		t.Errorf("knows %d brokers", n)
	}
	addr, err := c.Coordinator(t.Context(), "g")
	if err != nil || addr == "" {
		t.Errorf("got %q, %v", addr, err)
	}
}
