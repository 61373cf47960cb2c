package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/supervisor"
)

// kafka is the cluster under a scenario, looked at and filled through a client that is not the one under test.
type kafka struct {
	t       testing.TB
	brokers []string
	fake    *kfake.Cluster // nil: a real one
	cutter  *cutter        // of the fake's connections
	writer  *kgo.Client    // produces
	journal *journal

	mu     sync.Mutex
	admin  *kgo.Client // asks
	asleep int32       // the node that is stopped; 0: none
}

// cluster is a broker in this process with three nodes, or the real one of test/with-kafka.sh. The options are for the
// former alone.
func cluster(t testing.TB, opts ...kfake.Opt) *kafka {
	t.Helper()
	k := &kafka{t: t, journal: newJournal(t)}
	if real := realBrokers(); real != nil {
		k.brokers = real
	} else {
		k.cutter = &cutter{}
		fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(100 * time.Millisecond), kfake.ListenFn(k.cutter.listen),
			kfake.AllowAutoTopicCreation(), // so that a consumer which creates topics by asking for them is found out
		}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		k.fake, k.brokers = fake, fake.ListenAddrs()
	}
	k.writer, k.admin = k.client(), k.client()
	t.Cleanup(func() {
		k.writer.Close()
		k.asker().Close()
	})
	return k
}

// client is one that is not under test.
func (k *kafka) client(opts ...kgo.Opt) *kgo.Client {
	k.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.awake()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(100_000), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.MaxVersions(kversion.V3_6_0()))...) // before requests name topics by id
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// awake are the addresses of the nodes that are not stopped: a client that asks one of those waits for its answer.
func (k *kafka) awake() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asleep == 0 {
		return k.brokers
	}
	return slices.Delete(slices.Clone(k.brokers), int(k.asleep)-1, int(k.asleep)) // node 1 is the first
}

// asker is the client for questions.
func (k *kafka) asker() *kgo.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.admin
}

// askAnew forgets what the client knew: it keeps to a dead coordinator.
func (k *kafka) askAnew() {
	fresh := k.client()
	k.mu.Lock()
	old := k.admin
	k.admin = fresh
	k.mu.Unlock()
	old.Close()
}

// realBrokers are those of a real Kafka; nil without one.
func realBrokers() []string {
	if list := os.Getenv("OTTLA_TEST_BROKERS"); list != "" {
		return strings.Split(list, ",")
	}
	return nil
}

// realOnly skips a scenario that the broker in this process cannot show.
func realOnly(t testing.TB, why string) {
	t.Helper()
	if realBrokers() == nil {
		t.Skipf("only on a real Kafka (bash test/with-kafka.sh): %s", why)
	}
}

// fakeOnly skips a scenario that a real broker cannot be made to show.
func fakeOnly(t testing.TB, why string) {
	t.Helper()
	if realBrokers() != nil {
		t.Skipf("only on the broker in the test's process: %s", why)
	}
}

// threeNodes skips a scenario that ends one of three real nodes.
func threeNodes(t testing.TB, why string) {
	t.Helper()
	if len(realBrokers()) < 3 || os.Getenv("OTTLA_TEST_KAFKA_DIR") == "" {
		t.Skipf("only on three real nodes (bash test/with-kafka.sh -n 3): %s", why)
	}
}

var serial atomic.Int64

// name is one that no other scenario has, in this run or another.
func name(kind string) string {
	return fmt.Sprintf("%s-%d-%d-%d", kind, time.Now().Unix(), os.Getpid(), serial.Add(1))
}

// topic creates a topic and waits until each partition has a leader.
func (k *kafka) topic(partitions int32) string {
	k.t.Helper()
	topic := name("t")
	k.create(topic, partitions)
	return topic
}

// create is topic with a name that is known before, and configurations as name=value.
func (k *kafka) create(topic string, partitions int32, configs ...string) {
	k.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, int16(min(3, len(k.brokers)))
	for _, text := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		name, value, _ := strings.Cut(text, "=")
		c.Name, c.Value = name, &value
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 20_000
	resp := ask[*kmsg.CreateTopicsResponse](k, req)
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		k.t.Fatalf("create %s: %v", topic, err)
	}
	eventually(k.t, "all partitions of "+topic+" have leaders", func() bool { return k.ready(topic, partitions) })
}

// ready: every partition has a leader.
func (k *kafka) ready(topic string, partitions int32) bool {
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	for _, t := range ask[*kmsg.MetadataResponse](k, req).Topics {
		if t.ErrorCode != 0 || len(t.Partitions) < int(partitions) {
			return false
		}
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// exists tells whether there is such a topic, and creates none.
func (k *kafka) exists(topic string) bool { return k.ready(topic, 1) }

// createsByAsking makes sure that the cluster creates a topic for whoever asks for it in the wrong way: else a scenario
// in which nobody does so shows nothing.
func (k *kafka) createsByAsking(t testing.TB) {
	t.Helper()
	topic := name("asked")
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics, req.AllowAutoTopicCreation = append(req.Topics, rt), true
	ask[*kmsg.MetadataResponse](k, req)
	eventually(t, "the cluster creates a topic that is asked for", func() bool { return k.exists(topic) })
}

// grow adds partitions to a topic.
func (k *kafka) grow(topic string, partitions int32) {
	k.t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = topic, partitions
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 20_000
	resp := ask[*kmsg.CreatePartitionsResponse](k, req)
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		k.t.Fatalf("add partitions to %s: %v", topic, err)
	}
	eventually(k.t, "the new partitions of "+topic+" have leaders", func() bool { return k.ready(topic, partitions) })
}

// fill produces the records from to end-1 to every one of the first partitions of a topic. A record's value is its
// number in the partition: its offset.
func (k *kafka) fill(topic string, partitions int32, from, end int) {
	k.t.Helper()
	k.produce(topic, partitions, from, end, func(n int) []byte { return []byte(strconv.Itoa(n)) })
}

// produce writes the records from to end-1 to each partition and waits for the answers.
func (k *kafka) produce(topic string, partitions int32, from, end int, value func(n int) []byte) {
	k.t.Helper()
	var failed atomic.Pointer[error]
	for n := from; n < end; n++ {
		for p := range partitions {
			rec := &kgo.Record{Topic: topic, Partition: p, Key: []byte("k" + strconv.Itoa(n%17)), Value: value(n)}
			k.writer.Produce(context.Background(), rec, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(&err)
				}
			})
		}
	}
	if err := k.writer.Flush(k.t.Context()); err != nil {
		k.t.Fatalf("produce to %s: %v", topic, err)
	}
	if err := failed.Load(); err != nil {
		k.t.Fatalf("produce to %s: %v", topic, *err)
	}
}

// committed are the group's offsets; a partition without one is missing.
func (k *kafka) committed(group, topic string) map[int32]int64 {
	k.t.Helper()
	var offsets map[int32]int64
	var err error
	if !waits(patience, func() bool { offsets, err = k.offsets(group, topic); return err == nil }) {
		k.t.Fatalf("committed offsets of %s: %v", group, err)
	}
	return offsets
}

// offsets is committed, asked once: a broker may be away.
func (k *kafka) offsets(group, topic string) (map[int32]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = group, false
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	req.Groups = append(req.Groups, rg)                                     // of all topics
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // a node may be there that does not answer
	defer cancel()
	resp, err := req.RequestWith(ctx, k.asker())
	if err != nil {
		k.askAnew()
		return nil, err
	}
	out := map[int32]int64{}
	note := func(t string, p int32, at int64, code int16) error {
		if t == topic && at >= 0 && code == 0 {
			out[p] = at
		}
		return kerr.ErrorForCode(code)
	}
	var faults []error
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			faults = append(faults, err)
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				faults = append(faults, note(t.Topic, p.Partition, p.Offset, p.ErrorCode))
			}
		}
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			faults = append(faults, note(t.Topic, p.Partition, p.Offset, p.ErrorCode))
		}
	}
	return out, errors.Join(faults...)
}

// neverBack looks at the group's offsets until stop is called, and fails the test when one of them decreases. A look
// takes a few milliseconds: what a commit of an old claim takes back, the new owner's next one hides again.
func (k *kafka) neverBack(group, topic string) (stop func()) {
	k.t.Helper()
	over, stopped := make(chan struct{}), make(chan struct{})
	looks := 0
	go func() {
		defer close(stopped)
		last := map[int32]int64{}
		waits(10*time.Minute, func() bool {
			now, err := k.offsets(group, topic)
			if err == nil {
				looks++
				for p, was := range last {
					if at, ok := now[p]; !ok || at < was {
						k.t.Errorf("partition %d: the committed offset went back from %d to %d", p, was, at)
					}
				}
				last = now
			}
			select {
			case <-over:
				return true
			default:
				return false
			}
		})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() { close(over) })
		<-stopped
		if looks < 2 {
			k.t.Errorf("the committed offsets were looked at %d times", looks)
		}
	}
	k.t.Cleanup(func() { once.Do(func() { close(over) }); <-stopped })
	return stop
}

// commit writes offsets as somebody who is no member, which a broker allows while the group is empty.
func (k *kafka) commit(group, topic string, offsets map[int32]int64) {
	k.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = topic
	for p, at := range offsets {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = p, at, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	for _, t := range ask[*kmsg.OffsetCommitResponse](k, req).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				k.t.Fatalf("commit %s/%d: %v", t.Topic, p.Partition, err)
			}
		}
	}
}

// group is its state and the number of its members, as its coordinator says.
func (k *kafka) group(group string) (state string, members int) {
	k.t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = append(req.Groups, group)
	resp := ask[*kmsg.DescribeGroupsResponse](k, req)
	if len(resp.Groups) == 0 {
		return "Dead", 0
	}
	return resp.Groups[0].State, len(resp.Groups[0].Members)
}

// ask sends a request to whom it concerns and insists on an answer.
func ask[R kmsg.Response](k *kafka, req kmsg.Request) R {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := k.asker().Request(ctx, req)
	if err != nil {
		k.t.Fatalf("%T: %v", req, err)
	}
	return resp.(R)
}

// The suite's times. Backoffs are short, so that a scenario spends its time on what it shows.
const (
	heartbeat = 100 * time.Millisecond
	session   = 6 * time.Second
	rebalance = 10 * time.Second
	backoff   = 3 * time.Millisecond
)

// config is what scenarios start from: all short, and no failure stays.
func (k *kafka) config(member, group, topic string) consumer.Config {
	return consumer.Config{
		Brokers: k.brokers, Group: group, Topics: []string{topic},
		SessionTimeout: session, RebalanceTimeout: rebalance, HeartbeatInterval: heartbeat,
		DrainTimeout: rebalance,
		Fetch:        consumer.Fetch{MaxWait: 50 * time.Millisecond},
		Policy:       supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(backoff)))},
		Logger:       k.journal.logger(member),
	}
}
