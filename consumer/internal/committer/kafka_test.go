package committer

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/consumer/internal/source"
	"github.com/ottla-go/ottla/messages"
)

// kafka is an in-process broker, or, with OTTLA_TEST_BROKERS, a real one.
func kafka(t *testing.T) (addrs []string) {
	t.Helper()
	if s := os.Getenv("OTTLA_TEST_BROKERS"); s != "" {
		return strings.Split(s, ",")
	}
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k.ListenAddrs()
}

// produce writes n records to each partition of a new topic.
func produce(t *testing.T, addrs []string, topic string, partitions int32, n int) {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	admin, err := sarama.NewClusterAdmin(addrs, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(50))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for p := range partitions {
		for range n {
			all = append(all, &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")})
		}
	}
	if err := client.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// process is one member of the group with all that it needs.
type process struct {
	*Committer

	member  *member.Member
	cluster *conn.Cluster
	coord   *conn.Coordinator
	inbox   *groupInbox
}

// groupInbox also takes what a member tells.
type groupInbox struct {
	inbox

	assigned chan []messages.Claim
	revoked  chan []messages.Claim
}

func (i *groupInbox) Joined(string, int32)                         {}
func (i *groupInbox) Notice(error)                                 {}
func (i *groupInbox) Ended(error)                                  {}
func (i *groupInbox) Lost([]messages.Claim, error)                 {}
func (i *groupInbox) Assigned(claims []messages.Claim)             { i.assigned <- claims }
func (i *groupInbox) Revoked(claims []messages.Claim, _ time.Time) { i.revoked <- claims }

func newProcess(t *testing.T, addrs []string, group, topic string, change ...func(*Settings)) *process {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	dialer, err := conn.NewDialer(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dialer.Close)
	p := &process{inbox: &groupInbox{
		inbox:    inbox{start: time.Now()},
		assigned: make(chan []messages.Claim, 10), revoked: make(chan []messages.Claim, 10),
	}}
	p.cluster = conn.NewCluster(conn.Settings{Seeds: addrs, Dial: dialer.Dial, Version: config.Version})
	t.Cleanup(p.cluster.Close)
	records, err := source.New(source.Options{Config: config, Cluster: p.cluster})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(records.Stop)
	p.coord = conn.NewCoordinator(dialer.Dial, "")
	s := Settings{Group: group, Coordinator: p.coord, Ranges: records, Topics: p.cluster, Inbox: p.inbox, Version: config.Version}
	for _, f := range change {
		f(&s)
	}
	p.Committer = New(s)
	t.Cleanup(p.Committer.Stop)
	p.member = member.New(member.Options{
		Group: group, Topics: []string{topic}, Cluster: p.cluster, Coordinator: p.coord, HeartbeatInterval: 100 * time.Millisecond,
	}, p.inbox)
	t.Cleanup(p.member.Close)
	return p
}

// claims joins and waits until n partitions are assigned.
func (p *process) claims(t *testing.T, n int) map[int32]*claim {
	t.Helper()
	p.member.Start()
	all := make(map[int32]*claim)
	for len(all) < n {
		select {
		case list := <-p.inbox.assigned:
			for _, c := range list {
				all[c.Partition] = p.Claim(c).(*claim)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d partitions are assigned after 20 s", len(all), n)
		}
	}
	return all
}

// leave commits, gives up and leaves, in the order of a stop.
func (p *process) leave(t *testing.T, all map[int32]*claim) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- p.member.Leave(ctx) }()
	for given := 0; given < len(all); {
		list := <-p.inbox.revoked
		for _, c := range list {
			k := all[c.Partition]
			if err := k.Flush(ctx); err != nil {
				t.Error(err)
			}
			k.Close()
		}
		p.member.Released(list)
		given += len(list)
	}
	if err := <-left; err != nil {
		t.Error(err)
	}
}

func name(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(t.Name(), "/", "-") + "-" + time.Now().Format("150405.000000")
}

// What one owner commits, the next one finds: position, attempts, park. A group that is new starts by its choice.
func TestFromOwnerToOwner(t *testing.T) {
	addrs := kafka(t)
	topic := name(t)
	produce(t, addrs, topic, 3, 20)

	a := newProcess(t, addrs, topic, topic)
	claims := a.claims(t, 3)
	for p := range int32(3) {
		if s, err := claims[p].Start(t.Context()); err != nil || s.Next != 0 {
			t.Fatalf("a new group starts %d at %+v, %v", p, s, err)
		}
	}
	want := []actors.Progress{
		{Next: 5},
		{Next: 7, Attempt: 3},
		{Next: 11, Attempt: 1, Parked: true, Reason: "the customer is not known yet: " + strings.Repeat("é", 3000)},
	}
	for p, progress := range want {
		claims[int32(p)].Commit(actors.Progress{Next: 1}, false, nil)
		claims[int32(p)].Commit(progress, false, nil)
	}
	a.leave(t, claims)
	for p := range want {
		eventually(t, "told", func() bool {
			for _, e := range a.inbox.told() {
				if e.claim.Partition == int32(p) && e.committed && e.next == want[p].Next {
					return true
				}
			}
			return false
		})
	}

	b := newProcess(t, addrs, topic, topic)
	claims = b.claims(t, 3)
	for p, progress := range want {
		s, err := claims[int32(p)].Start(t.Context())
		if err != nil || s.Next != progress.Next || s.Progress.Attempt != progress.Attempt || s.Progress.Parked != progress.Parked {
			t.Errorf("partition %d starts at %+v, %v", p, s, err)
		}
		if got := s.Progress.Reason; !strings.HasPrefix(progress.Reason, got) || progress.Reason != "" && len(got) < 2900 {
			t.Errorf("partition %d: %d bytes of the reason are left", p, len(got))
		}
	}
	answer, err := conn.Call(t.Context(), b.coord, conn.Offsets, func(cn conn.Conn) (*sarama.OffsetFetchResponse, error) {
		return cn.FetchOffset(sarama.NewOffsetFetchRequest(sarama.V3_6_0_0, topic, map[string][]int32{topic: {0}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	// sarama's AddBlock would have said 0, and a Java consumer that takes over would check its position against it.
	if got := answer.GetBlock(topic, 0).LeaderEpoch; got != -1 {
		t.Errorf("the commit claims leader epoch %d", got)
	}
	b.leave(t, claims)
}

// Two members, real rebalances: commits under way while generations change; nothing is refused for good, and what was
// closed is not sent.
func TestRebalanceUnderWay(t *testing.T) {
	addrs := kafka(t)
	topic := name(t)
	produce(t, addrs, topic, 3, 20)
	a := newProcess(t, addrs, topic, topic)
	mine := a.claims(t, 3)
	for p := range int32(3) {
		if _, err := mine[p].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		mine[p].Commit(at(3), true, nil)
	}

	b := newProcess(t, addrs, topic, topic)
	b.member.Start()
	list := <-a.inbox.revoked
	for _, c := range list {
		k := mine[c.Partition]
		k.Commit(at(9), false, nil)
		if err := k.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		k.Close()
		delete(mine, c.Partition)
	}
	a.member.Released(list)
	theirs := b.claims(t, len(list))
	for p, k := range theirs {
		s, err := k.Start(t.Context())
		if err != nil || s.Next != 9 {
			t.Errorf("partition %d goes on at %d, %v", p, s.Next, err)
		}
		k.Commit(at(15), true, nil)
		if err := k.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for p, k := range mine { // kept, and in a newer generation than when they were assigned
		k.Commit(at(12), true, nil)
		if err := k.Flush(t.Context()); err != nil {
			t.Errorf("partition %d: %v", p, err)
		}
	}
	for _, e := range a.inbox.told() {
		if e.final {
			t.Errorf("told %v: %v", e, e.err)
		}
	}
	a.leave(t, mine)
	b.leave(t, theirs)
}

// Start choices and ranges over the real requests.
func TestChoicesOverTheWire(t *testing.T) {
	addrs := kafka(t)
	topic := name(t)
	produce(t, addrs, topic, 3, 20)
	for _, c := range []struct {
		text  string
		start offsets.Choice
		next  int64
	}{
		{"latest", offsets.Latest, 20},
		{"at", offsets.At(time.Now().Add(-time.Hour)), 0},
		{"at-the-end", offsets.At(time.Now().Add(time.Hour)), 20},
		{"fail", offsets.Fail, -1},
	} {
		t.Run(c.text, func(t *testing.T) {
			p := newProcess(t, addrs, topic+c.text, topic, func(s *Settings) { s.Start = c.start })
			all := p.claims(t, 3)
			for n, k := range all {
				s, err := k.Start(t.Context())
				if c.next < 0 {
					if !errors.As(err, new(*NoOffsetError)) {
						t.Errorf("partition %d: %+v, %v", n, s, err)
					}
				} else if err != nil || s.Next != c.next {
					t.Errorf("partition %d starts at %+v, %v", n, s, err)
				}
			}
			p.leave(t, all)
		})
	}
}
