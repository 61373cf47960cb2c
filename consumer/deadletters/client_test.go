package deadletters

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

// A transaction is open on the topic that is replayed to, and stays so: what was replayed behind it is found all the same.
func TestAReplayBehindAnOpenTransaction(t *testing.T) {
	b := consumertest.Broker(t, "orders", "repaired")
	_, c := open(t, b)
	orders(b)
	for p := range int32(4) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID(fmt.Sprint("x", p)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "repaired", Partition: p}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, already := range []int{0, 8} {
		if r := replay(t, c, Replay{Write: true, To: "repaired"}); r.Already != already || r.Total() != 8-already {
			t.Errorf("%+v, want %d that were replayed before", r, already)
		}
	}
}

// A visit reads the same topic; and two read it at the same time.
func TestTwoReadersOfOneTopic(t *testing.T) {
	b := consumertest.Broker(t, "orders")
	_, c := open(t, b)
	orders(b)
	n := 0
	if err := c.Read(t.Context(), "orders.dlt", Filter{}, func(l *Letter) error {
		return c.Read(t.Context(), "orders.dlt", Filter{At: l.Place()}, func(*Letter) error { n++; return nil })
	}); err != nil || n != 8 {
		t.Errorf("%d were read twice: %v", n, err)
	}
	ended := make(chan error)
	for range 4 {
		go func() { ended <- c.Read(t.Context(), "orders.dlt", Filter{}, func(*Letter) error { return nil }) }()
	}
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// The end of the context ends what is under way before the next letter, and so does Close, soon.
func TestAReadThatIsCutShort(t *testing.T) {
	b := consumertest.Broker(t, "orders")
	_, c := open(t, b)
	orders(b)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	if err := c.Read(ctx, "orders.dlt", Filter{}, func(*Letter) error { seen++; cancel(); return nil }); !errors.Is(err, context.Canceled) || seen != 1 {
		t.Errorf("%d letters after the end of the context: %v", seen, err)
	}
	begun, ended := make(chan struct{}, 8), make(chan error, 1)
	go func() {
		ended <- c.Read(t.Context(), "orders.dlt", Filter{}, func(*Letter) error {
			begun <- struct{}{}
			<-c.ctx.Done()
			return nil
		})
	}()
	<-begun
	c.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := c.Replay(t.Context(), "orders.dlt", Replay{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after it: %v", err)
	}
}

// What the letters say of where they came from is anybody's word, who may write to a consumer's topic: a replay does not
// write to several topics unless it is told to. Single letters are left out by their place.
func TestLettersThatNameAnotherTopic(t *testing.T) {
	b := consumertest.Broker(t, "orders", "payments")
	shop, c := open(t, b)
	forged := func(topic, offset string) *messages.Record {
		return &messages.Record{Value: []byte("bad " + topic + offset), Headers: []messages.Header{
			{Key: "ottla-dlt-topic", Value: []byte(topic)}, {Key: "ottla-dlt-partition", Value: []byte("0")}, {Key: "ottla-dlt-offset", Value: []byte(offset)},
		}}
	}
	b.ProduceRecords("orders", 0, &messages.Record{Value: []byte("bad")}, forged("payments", "7"), forged("secrets", "7"), forged("payments", "no number"))
	b.AwaitCommitted("billing", "orders", 0, 4)
	shop.mend()
	letters := read(t, c, Filter{})
	if len(letters) != 4 || letters[3].Origin != (Place{"orders", 0, 3}) {
		t.Fatalf("%d letters; one that cannot be read is of this place: %v", len(letters), letters[len(letters)-1].Origin)
	}
	for _, c2 := range []struct {
		r    Replay
		want string
	}{
		{Replay{Write: true}, "several topics, orders, payments, secrets"},
		{Replay{}, "Filter.Topic"}, // there is no topic secrets
	} {
		if _, err := c.Replay(t.Context(), "orders.dlt", c2.r); err == nil || !strings.Contains(err.Error(), c2.want) {
			t.Errorf("%+v: %v", c2.r, err)
		}
	}
	if r := replay(t, c, Replay{Write: true, Filter: Filter{Topic: "orders", Except: []Place{letters[3].Place()}}}); r.Total() != 1 {
		t.Errorf("%+v", r)
	}
	if r := replay(t, c, Replay{Filter: Filter{Topic: "payments"}}); r.Replayed["payments"] != 1 {
		t.Errorf("%+v", r)
	}
}
