package conformance

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/messages"
)

// poison is what a spoiler changes. It must not be compressed on its way.
const poison = "POISON"

// spoiler makes connections on which the word poison comes damaged, so that the checksum of its batch is wrong.
type spoiler struct{}

// spoiled is one of them.
type spoiled struct{ net.Conn }

// Dial is proxy.Dialer's.
func (spoiler) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return spoiled{conn}, nil
}

// Read damages every such word; the value has many of them, so that a cut between two reads leaves some.
func (c spoiled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for i := bytes.Index(b[:n], []byte(poison)); i >= 0; i = bytes.Index(b[:n], []byte(poison)) {
		b[i] = 'p'
	}
	return n, err
}

// TestSourceCorruptBatch: one batch of one partition arrives damaged, every time. That partition stops in front of it, is
// parked, and says why; its neighbours run on. An operator skips it, and it goes on behind.
func TestSourceCorruptBatch(t *testing.T) {
	const partitions, each, bad = 3, 60, 30
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	client := k.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	l := newLedger(partitions, 2*each)
	l.expect(0, 0, bad)
	k.fill(topic, 1, 0, bad)
	put(t, client, &kgo.Record{Topic: topic, Value: []byte(strings.Repeat(poison, 20))}) // a batch of its own
	k.fill(topic, 1, bad+1, each)
	for p := int32(1); p < partitions; p++ {
		k.produceTo(topic, p, 0, each)
	}
	cfg := k.config("a", group, topic)
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, spoiler{} }
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	eventually(t, "the partition is parked", func() bool { return len(a.partitions(messages.StateParked)) == 1 })
	if p := a.partitions()[0]; p.State != messages.StateParked || p.Head != bad || p.Reason == "" {
		t.Errorf("partition 0 is %v at %d because of %q, want parked at %d and a reason", p.State, p.Head, p.Reason, bad)
	} else {
		t.Logf("parked because of %s", p.Reason)
	}
	for p := int32(1); p < partitions; p++ {
		k.produceTo(topic, p, each, 2*each)
	}
	eventually(t, "the neighbours are at their ends", l.done)
	if at := k.committed(group, topic)[0]; at != bad {
		t.Errorf("committed %d while it is parked, want %d", at, bad)
	}
	l.expect(0, bad+1, each)
	if _, err := a.Do(t.Context(), &messages.SkipHead{Head: messages.Head{Topic: topic, Offset: bad}, By: "the test"}); err != nil {
		t.Errorf("skip: %v", err)
	}
	eventually(t, "it goes on behind", l.done)
	a.leave()
	l.clean(t)
}
