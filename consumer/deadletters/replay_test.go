package deadletters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var quiet = slog.New(slog.DiscardHandler)

// shop handles orders, and fails at those that begin with "bad" until it is mended.
type shop struct {
	mu     sync.Mutex
	mended bool
	seen   map[string]*messages.Record // the last record of each value
	times  map[string]int              // it was handled well
}

func open(t *testing.T, b *consumertest.Cluster) (*shop, *Client) {
	t.Helper()
	s := &shop{seen: map[string]*messages.Record{}, times: map[string]int{}}
	b.Start(consumer.Config{
		Group: "billing", Topics: []string{"orders"}, Logger: quiet, CreateDeadLetterTopics: true, Handler: s.handle,
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter("orders.dlt"))},
	})
	c, err := Open(consumer.Config{Brokers: b.Addrs(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func (s *shop) handle(_ context.Context, rec *consumer.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := string(rec.Value)
	s.seen[v] = rec.Clone()
	if strings.HasPrefix(v, "bad") && !s.mended {
		return errors.New("what is a " + v + "?")
	}
	s.times[v]++
	return nil
}

func (s *shop) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mended = true
}

func (s *shop) handled() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.times)
}

// orders produces four orders to each of four partitions, of which half are bad, and waits until all are dealt with.
func orders(b *consumertest.Cluster) {
	for p := range int32(4) {
		for i := range 4 {
			kind := []string{"good", "bad"}[i%2]
			b.ProduceRecords("orders", p, &messages.Record{
				Key: fmt.Append(nil, "k", p, i), Value: fmt.Append(nil, kind, p, i), Headers: []messages.Header{{Key: "h", Value: []byte{0xff}}},
			})
		}
		b.AwaitCommitted("billing", "orders", p, 4)
	}
}

func read(t *testing.T, c *Client, f Filter) (all []*Letter) {
	t.Helper()
	if err := c.Read(t.Context(), "orders.dlt", f, func(l *Letter) error { all = append(all, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func replay(t *testing.T, c *Client, r Replay) Report {
	t.Helper()
	report, err := c.Replay(t.Context(), "orders.dlt", r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A dry run writes nothing. A replay writes what was given up, as it was, to where it came from. A second one writes nothing
// more, and one that was cut short goes on where it was.
func TestReplay(t *testing.T) {
	b := consumertest.Broker(t, "orders")
	shop, c := open(t, b)
	orders(b)
	letters := read(t, c, Filter{})
	if len(letters) != 8 {
		t.Fatalf("%d letters", len(letters))
	}
	shop.mend()
	if r := replay(t, c, Replay{}); r.Total() != 8 || r.Replayed["orders"] != 8 || r.Already != 0 {
		t.Errorf("the dry run: %+v", r)
	}
	if r := replay(t, c, Replay{}); r.Already != 0 {
		t.Errorf("a dry run has written %d", r.Already)
	}
	if r := replay(t, c, Replay{Write: true, Filter: Filter{Limit: 3}}); r.Total() != 3 {
		t.Errorf("three: %+v", r)
	}
	var last Progress
	if r := replay(t, c, Replay{Write: true, Progress: func(p Progress) { last = p }}); r.Total() != 5 || r.Already != 3 {
		t.Errorf("the others: %+v", r)
	}
	if last != (Progress{StepReplay, 8, 8}) {
		t.Errorf("progress: %+v", last)
	}
	if r := replay(t, c, Replay{Write: true}); r.Total() != 0 || r.Already != 8 {
		t.Errorf("once more: %+v", r)
	}
	for p := range int32(4) {
		b.AwaitCommitted("billing", "orders", p, 6)
	}
	for p := range int32(4) {
		for i := range 4 {
			v := fmt.Sprint([]string{"good", "bad"}[i%2], p, i)
			if n := shop.handled()[v]; n != 1 {
				t.Errorf("%s was handled %d times", v, n)
			}
		}
	}
	for _, l := range letters {
		got := shop.seen[string(l.Record.Value)]
		if string(got.Key) != string(l.Record.Key) || got.Partition != l.Origin.Partition || got.Topic != "orders" {
			t.Errorf("%v became %v with key %q", l.Place(), got, got.Key)
		}
		mark, _ := got.Header(ReplayOf)
		own, _ := got.Header("h")
		if string(mark) != l.Place().String() || string(own) != "\xff" {
			t.Errorf("%v became %v with the headers %q", l.Place(), got, got.Headers)
		}
	}
}

// A record that fails again after its replay is dead-lettered again: its first origin stays, the count rises, and that new
// letter can be replayed, too.
func TestAReplayThatFailsAgain(t *testing.T) {
	b := consumertest.Broker(t, "orders")
	shop, c := open(t, b)
	b.Produce("orders", 1, "bad")
	b.AwaitCommitted("billing", "orders", 1, 1)
	replay(t, c, Replay{Write: true})
	b.AwaitCommitted("billing", "orders", 1, 2)
	letters := read(t, c, Filter{})
	if len(letters) != 2 {
		t.Fatalf("%d letters", len(letters))
	}
	again := letters[1]
	if again.Count != 2 || again.Origin != (Place{"orders", 1, 0}) || again.From != "orders/1@1" {
		t.Errorf("%+v", again)
	}
	shop.mend()
	if r := replay(t, c, Replay{Write: true}); r.Total() != 1 || r.Already != 1 {
		t.Errorf("%+v", r)
	}
	b.AwaitCommitted("billing", "orders", 1, 3)
	marks := 0
	for _, h := range shop.seen["bad"].Headers {
		if h.Key == ReplayOf {
			marks++
		}
	}
	if marks != 1 {
		t.Errorf("%d marks", marks)
	}
}

// Each letter goes to another topic, where it was not replayed yet.
func TestReplayToAnotherTopic(t *testing.T) {
	b := consumertest.Broker(t, "orders", "repaired")
	_, c := open(t, b)
	orders(b)
	if r := replay(t, c, Replay{Write: true, To: "repaired"}); r.Replayed["repaired"] != 8 {
		t.Errorf("%+v", r)
	}
	if r := replay(t, c, Replay{To: "repaired"}); r.Already != 8 {
		t.Errorf("%+v", r)
	}
	if r := replay(t, c, Replay{}); r.Already != 0 || r.Replayed["orders"] != 8 {
		t.Errorf("where they came from they were not replayed: %+v", r)
	}
	if _, err := c.Replay(t.Context(), "orders.dlt", Replay{To: "orders.dlt"}); err == nil || !strings.Contains(err.Error(), "itself") {
		t.Errorf("in a circle: %v", err)
	}
	if _, err := c.Replay(t.Context(), "orders.dlt", Replay{To: "nowhere"}); !errors.Is(err, ErrNoTopic) {
		t.Errorf("to nowhere: %v", err)
	}
	if _, err := c.Replay(t.Context(), "nothing.dlt", Replay{}); !errors.Is(err, ErrNoTopic) {
		t.Errorf("from nowhere: %v", err)
	}
}

// The broker refuses a record in the middle: the report says what was written, and the next replay does the others.
func TestAReplayThatIsRefused(t *testing.T) {
	b := consumertest.Broker(t, "orders")
	shop, c := open(t, b)
	orders(b)
	shop.mend()
	replay(t, c, Replay{Write: true, Filter: Filter{Limit: 2}})
	b.Fail("Produce", 1, "TOPIC_AUTHORIZATION_FAILED")
	r, err := c.Replay(t.Context(), "orders.dlt", Replay{Write: true})
	if err == nil || !strings.Contains(err.Error(), "orders.dlt/") || r.Total() != 0 || r.Already != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if r := replay(t, c, Replay{Write: true}); r.Total() != 6 || r.Already != 2 {
		t.Errorf("%+v", r)
	}
}

func TestReadWithAFilter(t *testing.T) {
	b := consumertest.Broker(t, "orders", "orders.dlt")
	_, client := open(t, b)
	orders(b)
	b.Produce("orders.dlt", 2, "no letter at all")
	all := read(t, client, Filter{})
	written := all[0].Written
	for _, c := range []struct {
		f    Filter
		want func(*Letter) bool
	}{
		{Filter{Topic: "orders"}, func(*Letter) bool { return true }},
		{Filter{Topic: "payments"}, func(*Letter) bool { return false }},
		{Filter{Key: "k11"}, func(l *Letter) bool { return string(l.Record.Value) == "bad11" }},
		{Filter{Error: "a bad2"}, func(l *Letter) bool { return l.Origin.Partition == 2 }},
		{Filter{Class: "Handler"}, func(*Letter) bool { return true }},
		{Filter{Class: "Panic"}, func(*Letter) bool { return false }},
		{Filter{Group: "billing"}, func(*Letter) bool { return true }},
		{Filter{Group: "shipping"}, func(*Letter) bool { return false }},
		{Filter{Rule: "x"}, func(*Letter) bool { return false }},
		{Filter{RequestID: all[3].RequestID}, func(l *Letter) bool { return l.RequestID == all[3].RequestID }},
		{Filter{Since: written}, func(l *Letter) bool { return !l.Written.Before(written) }},
		{Filter{Until: written}, func(l *Letter) bool { return l.Written.Before(written) }},
		{Filter{At: all[5].Place()}, func(l *Letter) bool { return l.Place() == all[5].Place() }},
	} {
		var want, got []string
		for _, l := range all {
			if c.want(l) {
				want = append(want, l.Place().String())
			}
		}
		for _, l := range read(t, client, c.f) {
			got = append(got, l.Place().String())
		}
		if !slices.Equal(want, got) {
			t.Errorf("%+v: %v, want %v", c.f, got, want)
		}
	}
	if n := len(read(t, client, Filter{Limit: 3})); n != 3 {
		t.Errorf("%d with a limit of 3", n)
	}
	stop := errors.New("stop")
	if err := client.Read(t.Context(), "orders.dlt", Filter{}, func(*Letter) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// Nobody answers: the context ends it.
func TestReadWithoutABroker(t *testing.T) {
	c, err := Open(consumer.Config{Brokers: []string{"127.0.0.1:1"}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Read(ctx, "orders.dlt", Filter{}, nil); err == nil {
		t.Error("no error")
	}
}

func TestOpenWithAFaultyConfig(t *testing.T) {
	if _, err := Open(consumer.Config{}); err == nil || !strings.Contains(err.Error(), "Config.Brokers") {
		t.Errorf("%v", err)
	}
	if _, err := Open(consumer.Config{Brokers: []string{"x:1"}, SASL: consumer.SASL{Mechanism: "HOPE"}}); err == nil || !strings.Contains(err.Error(), "HOPE") {
		t.Errorf("%v", err)
	}
}
