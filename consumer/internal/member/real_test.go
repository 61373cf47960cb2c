package member

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
)

// realGroup is a topic and a group of a real Kafka: bash test/with-kafka.sh go test ./consumer/internal/member.
type realGroup struct {
	t       *testing.T
	brokers []string
	topic   string
	admin   sarama.ClusterAdmin
	all     *ownership
}

func newReal(t *testing.T, partitions int32) *realGroup {
	t.Helper()
	brokers := os.Getenv("OTTLA_TEST_BROKERS")
	if brokers == "" {
		t.Skip("needs a real Kafka: OTTLA_TEST_BROKERS; the script shows the same in TestAStaticLeaderRestartsAndTheTopicGrows")
	}
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	x := &realGroup{t: t, brokers: strings.Split(brokers, ","), topic: fmt.Sprintf("member-%d", time.Now().UnixNano()), all: newOwnership(t)}
	admin, err := sarama.NewClusterAdmin(x.brokers, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	x.admin = admin
	if err := admin.CreateTopic(x.topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *realGroup) join(name, instance string) *recorder {
	x.t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	dialer, err := conn.NewDialer(cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	cluster := conn.NewCluster(conn.Settings{Seeds: x.brokers, Dial: dialer.Dial, Version: cfg.Version})
	r := &recorder{name: name, all: x.all, wait: 3 * longEnough, owned: map[tp]messages.Claim{}, changed: make(chan struct{})}
	r.m = New(Options{
		Group: x.topic, InstanceID: instance, Topics: []string{x.topic},
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second, HeartbeatInterval: 200 * time.Millisecond, MetadataInterval: 500 * time.Millisecond,
		Cluster: cluster, Coordinator: conn.NewCoordinator(dialer.Dial, instance),
	}, r)
	x.t.Cleanup(func() {
		r.m.Close()
		cluster.Close()
		dialer.Close()
	})
	r.m.Start()
	return r
}

// Kafka tells a static leader that comes back its earlier id as the leader's, and nobody leads. The test kit of
// others hides that: kfake starts a rebalance.
func TestAStaticLeaderOfARealKafkaRestarts(t *testing.T) {
	x := newReal(t, 4)
	a := x.join("a", "a")
	a.await(t, "owns all", owns(4)) // the first one leads
	b := x.join("b", "b")
	b.await(t, "owns its half", owns(2))
	a.await(t, "owns its half", owns(2))
	a.leave(t)
	again := x.join("a again", "a")
	again.await(t, "has its half back", owns(2))
	if err := x.admin.CreatePartitions(x.topic, 6, nil, false); err != nil {
		t.Fatal(err)
	}
	again.await(t, "owns its half of six", owns(3))
	b.await(t, "owns its half of six", owns(3))
	if a.losses()+b.losses()+again.losses() > 0 {
		t.Errorf("lost %v %v %v", a.lost, b.lost, again.lost)
	}
}
