package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
)

// plain is a member that uses sarama's own ConsumerGroup.
type plain struct {
	name    string
	owners  *owners
	ledger  *ledger
	group   sarama.ConsumerGroup
	stop    context.CancelFunc
	stopped chan struct{}
}

// startPlain runs a ConsumerGroup with the times of cfg: a cooperative-sticky one, unless other strategies are listed.
func startPlain(t testing.TB, name string, cfg consumer.Config, o *owners, l *ledger, strategies ...sarama.BalanceStrategy) *plain {
	t.Helper()
	if strategies == nil {
		strategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	}
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.ClientID = name
	c.Consumer.MaxWaitTime = cfg.Fetch.MaxWait
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = 50 * time.Millisecond
	c.Consumer.Group.Session.Timeout = cfg.SessionTimeout
	c.Consumer.Group.Heartbeat.Interval = cfg.HeartbeatInterval
	c.Consumer.Group.Rebalance.Timeout = cfg.RebalanceTimeout
	c.Consumer.Group.Rebalance.Retry.Backoff = 50 * time.Millisecond // 2 s, for which the whole group would wait
	c.Consumer.Group.Rebalance.GroupStrategies = strategies
	group, err := sarama.NewConsumerGroup(cfg.Brokers, cfg.Group, c)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &plain{name: name, owners: o, ledger: l, group: group, stop: stop, stopped: make(chan struct{})}
	go func() {
		for range group.Errors() {
		}
	}()
	go func() {
		defer close(p.stopped)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, cfg.Topics, p); err != nil && ctx.Err() == nil {
				work(ctx.Done(), 50*time.Millisecond)
			}
		}
	}()
	return p
}

// leave ends it in order.
func (p *plain) leave() {
	p.stop()
	<-p.stopped
	_ = p.group.Close()
}

// Setup is sarama.ConsumerGroupHandler's.
func (p *plain) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup is sarama.ConsumerGroupHandler's.
func (p *plain) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim is sarama.ConsumerGroupHandler's.
func (p *plain) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	p.owners.take(p.name, claim.Partition(), time.Now())
	defer func() { p.owners.drop(p.name, claim.Partition(), time.Now()) }()
	handle := p.ledger.keeps(p.name, nil)
	for m := range claim.Messages() {
		_ = handle(session.Context(), &consumer.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Value: m.Value})
		session.MarkMessage(m, "")
	}
	return nil
}

// java is a member that uses Kafka's own client, in a process of its own.
type java struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	closed chan struct{}
	err    error // of its end; read it after closed
}

// startJava runs test/java/Member.java with the times of cfg and these assignors, by their names, with commas between. It
// owns partitions and handles no records.
func startJava(t testing.TB, name string, cfg consumer.Config, o *owners, j *journal, assignors string) *java {
	t.Helper()
	libs := os.Getenv("OTTLA_TEST_KAFKA_LIBS")
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	cmd := exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", libs+"/*", "../java/Member.java",
		strings.Join(cfg.Brokers, ","), cfg.Group, cfg.Topics[0], assignors,
		"session.timeout.ms="+ms(cfg.SessionTimeout), "max.poll.interval.ms="+ms(cfg.RebalanceTimeout), "heartbeat.interval.ms="+ms(cfg.HeartbeatInterval))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m := &java{name: name, cmd: cmd, in: in, closed: make(chan struct{})}
	go func() {
		defer close(m.closed)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			j.write(name, scan.Text())
			m.read(scan.Text(), o)
		}
		m.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-m.closed
	})
	return m
}

// read takes "assigned NANOS P P", "revoked …" and "lost …".
func (m *java) read(line string, o *owners) {
	f := strings.Fields(line)
	if len(f) < 2 {
		return
	}
	nanos, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return
	}
	for _, text := range f[2:] {
		p, err := strconv.ParseInt(text, 10, 32)
		switch {
		case err != nil:
		case f[0] == "assigned":
			o.take(m.name, int32(p), time.Unix(0, nanos))
		default:
			o.drop(m.name, int32(p), time.Unix(0, nanos))
		}
	}
}

// leave ends it in order.
func (m *java) leave(t testing.TB) {
	t.Helper()
	_ = m.in.Close()
	received(t, m.closed, m.name+" leaves")
	var status *exec.ExitError
	if errors.As(m.err, &status) {
		t.Errorf("%s: %v", m.name, fmt.Errorf("status %d", status.ExitCode()))
	}
}
