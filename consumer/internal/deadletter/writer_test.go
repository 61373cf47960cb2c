package deadletter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
)

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	return c
}

func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	k, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func newWriter(t *testing.T, k *kfake.Cluster) *Writer {
	t.Helper()
	w := NewWriter(k.ListenAddrs(), config())
	t.Cleanup(w.Close)
	return w
}

// read is what another client reads of a topic.
func read(t *testing.T, k *kfake.Cluster, topic string, n int) (all []*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(all) < n {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records of %s", len(all), n, topic)
		}
		all = append(all, f.Records()...)
	}
	return all
}

// Key, value and headers arrive as they were, what is nil stays nil, and the partition is that of the record, where the
// topic has one of its number.
func TestALetterArrivesAsItWas(t *testing.T) {
	k := fake(t, kfake.SeedTopics(5, "wide"), kfake.SeedTopics(2, "narrow"))
	w := newWriter(t, k)
	odd := []*messages.Record{
		{Topic: "orders", Partition: 3, Offset: 1, Key: nil, Value: nil},
		{Topic: "orders", Partition: 3, Offset: 2, Key: []byte{}, Value: []byte{}},
		{Topic: "orders", Partition: 3, Offset: 3, Key: []byte("k"), Value: bytes.Repeat([]byte{0xff, 0}, 1<<18), Headers: []messages.Header{{Key: "", Value: nil}, {Key: "h", Value: []byte{0xfe}}}},
	}
	for _, r := range odd {
		for _, to := range []string{"wide", "narrow"} {
			l := letter()
			l.To, l.Record = to, r
			if err := w.WriteDeadLetter(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, got := range read(t, k, "wide", len(odd)) {
		want := odd[i]
		if got.Partition != 3 || !bytes.Equal(got.Key, want.Key) || (got.Key == nil) != (want.Key == nil) ||
			!bytes.Equal(got.Value, want.Value) || (got.Value == nil) != (want.Value == nil) {
			t.Errorf("record %d is in %d, key %v, %d bytes (nil: %v)", i, got.Partition, got.Key, len(got.Value), got.Value == nil)
		}
		var headers []messages.Header
		for _, h := range got.Headers {
			headers = append(headers, messages.Header{Key: h.Key, Value: h.Value})
		}
		for j, h := range want.Headers {
			if headers[j].Key != h.Key || !bytes.Equal(headers[j].Value, h.Value) {
				t.Errorf("header %d is %v", j, headers[j])
			}
		}
		if l, ok := Read(headers); !ok || l.From != want.String() || l.Count != 1 {
			t.Errorf("%+v", l)
		}
	}
	if n := len(read(t, k, "narrow", len(odd))); n != len(odd) {
		t.Errorf("%d records where the number is not there", n)
	}
}

// What the brokers refuse is an error, and the next letter is written.
func TestARefusedLetterIsAnError(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "dlt"))
	w := newWriter(t, k)
	l := letter()
	l.To = "missing"
	if err := w.WriteDeadLetter(t.Context(), l); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing topic: %v", err)
	}
	l.To, l.Record.Partition = "dlt", 0
	var refusing atomic.Bool
	refusing.Store(true)
	k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if !refusing.Load() {
			return nil, nil, false
		}
		k.KeepControl()
		p := req.(*kmsg.ProduceRequest)
		resp := p.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range p.Topics {
			part := kmsg.NewProduceResponseTopicPartition()
			part.ErrorCode = kerr.MessageTooLarge.Code
			top := kmsg.NewProduceResponseTopic()
			top.Topic, top.TopicID, top.Partitions = topic.Topic, topic.TopicID, append(top.Partitions, part)
			resp.Topics = append(resp.Topics, top)
		}
		return resp, nil, true
	})
	if err := w.WriteDeadLetter(t.Context(), l); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("too large: %v", err)
	}
	refusing.Store(false)
	if err := w.WriteDeadLetter(t.Context(), l); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Nobody listens: an error, in time; and as soon as somebody does, the letter is written.
func TestBrokersThatAreAway(t *testing.T) {
	w := NewWriter([]string{"127.0.0.1:1"}, config())
	defer w.Close()
	if err := w.WriteDeadLetter(t.Context(), letter()); err == nil || !strings.Contains(err.Error(), "no producer: ") {
		t.Errorf("got %v", err)
	}
	k := fake(t, kfake.SeedTopics(4, "orders.dlt"))
	w.brokers = k.ListenAddrs()
	if err := w.WriteDeadLetter(t.Context(), letter()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	w.Close()
	if err := w.WriteDeadLetter(t.Context(), letter()); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
	w.Close()
}

// Created topics are as wide as the widest of the consumed ones; one that somebody else has made meanwhile is fine.
func TestCreateMakesTopicsOfTheSameWidth(t *testing.T) {
	k := fake(t, kfake.SeedTopics(3, "orders"), kfake.SeedTopics(7, "refunds"), kfake.SeedTopics(1, "there"))
	w := newWriter(t, k)
	d, err := conn.NewDialer(config())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cluster := conn.NewCluster(conn.Settings{Seeds: k.ListenAddrs(), Dial: d.Dial, Version: sarama.V3_6_0_0})
	defer cluster.Close()
	if err := w.Create(t.Context(), cluster, []string{"orders", "refunds", "not yet"}, []string{"dlt", "there"}); err != nil {
		t.Fatal(err)
	}
	m, err := cluster.Topics(t.Context(), "dlt", "there")
	if err != nil || len(m.Topics["dlt"].Partitions) != 7 || len(m.Topics["there"].Partitions) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}
