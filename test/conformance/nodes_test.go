package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// folder is that of a node of the real cluster.
func folder(node int32) string {
	return filepath.Join(os.Getenv("OTTLA_TEST_KAFKA_DIR"), fmt.Sprint("n", node))
}

// signal sends a signal to a node.
func (k *kafka) signal(node int32, sig syscall.Signal) {
	k.t.Helper()
	pid := k.process(node)
	k.journal.note("%v to node %d", sig, node)
	if err := syscall.Kill(pid, sig); err != nil {
		k.t.Fatalf("%v to node %d: %v", sig, node, err)
	}
}

// kill ends a node of the real cluster as a power cut would. The test's end starts it again, and waits until it has
// caught up: the next scenario may end another one.
func (k *kafka) kill(node int32) {
	k.t.Helper()
	k.t.Cleanup(func() {
		k.boot(node)
		k.wholeAgain(node)
	})
	k.signal(node, syscall.SIGKILL)
}

// boot starts a node that has ended.
func (k *kafka) boot(node int32) {
	k.t.Helper()
	k.journal.note("node %d starts", node)
	if out, err := exec.Command(filepath.Join(folder(node), "start")).CombinedOutput(); err != nil {
		k.t.Errorf("start node %d: %v\n%s", node, err, out)
	}
}

// restart ends a node in order and starts it again, until it has caught up.
func (k *kafka) restart(node int32) {
	k.t.Helper()
	pid := k.process(node)
	k.signal(node, syscall.SIGTERM)
	eventually(k.t, fmt.Sprintf("node %d ends", node), func() bool {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output() // nobody may be there to reap it
		return err != nil || strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
	})
	k.boot(node)
	k.wholeAgain(node)
	k.journal.note("node %d has caught up", node)
}

// suspend stops a node: it keeps its connections, and the kernel goes on to take what is sent to it. It wakes by resume,
// or at the end of the test, which waits until it has caught up.
func (k *kafka) suspend(node int32) {
	k.t.Helper()
	k.t.Cleanup(func() {
		k.resume(node)
		k.wholeAgain(node)
	})
	k.signal(node, syscall.SIGSTOP)
	k.sleeps(node)
}

// resume wakes a node; nothing happens to one that is awake.
func (k *kafka) resume(node int32) {
	k.t.Helper()
	k.signal(node, syscall.SIGCONT)
	k.sleeps(0)
}

func (k *kafka) sleeps(node int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asleep = node
}

// wholeAgain waits until a node has caught up.
func (k *kafka) wholeAgain(node int32) {
	k.t.Helper()
	if !waits(2*time.Minute, k.whole) {
		k.t.Errorf("node %d has not caught up", node)
	}
}

// reconfigure restarts the only node of the real cluster, in order, with a property of its own. The test's end takes that
// back in the same way.
func (k *kafka) reconfigure(property string) {
	k.t.Helper()
	if len(k.brokers) > 1 {
		k.t.Skipf("only on one real node: it is restarted with %s", property)
	}
	file := filepath.Join(os.Getenv("OTTLA_TEST_KAFKA_DIR"), "n1", "server.properties")
	was, err := os.ReadFile(file)
	if err != nil {
		k.t.Skipf("only on a node of test/with-kafka.sh, to restart it: %v", err)
	}
	restart := func(text string) {
		k.t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			k.t.Fatal(err)
		}
		pid := k.process(1)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			k.t.Fatal(err)
		}
		eventually(k.t, "the node ends", func() bool {
			args, err := os.ReadFile(fmt.Sprint("/proc/", pid, "/cmdline")) // empty when nobody has waited for it yet
			return err != nil || len(args) == 0
		})
		if out, err := exec.Command(filepath.Join(filepath.Dir(file), "start")).CombinedOutput(); err != nil {
			k.t.Fatalf("start the node: %v\n%s", err, out)
		}
		if !waits(2*time.Minute, func() bool { return k.answers() >= 1 }) {
			k.t.Fatal("the node does not come back")
		}
	}
	restart(string(was) + property + "\n")
	k.t.Cleanup(func() { restart(string(was)) })
}

// process is a real node's.
func (k *kafka) process(node int32) (pid int) {
	k.t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(node), "pid"))
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return pid
}

// answers is how many nodes the cluster says that it has, 0 when it does not answer.
func (k *kafka) answers() int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, k.asker())
	if err != nil {
		return 0
	}
	return len(resp.Brokers)
}

// whole: all three nodes are there, and every replica is in sync.
func (k *kafka) whole() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil // all
	resp, err := req.RequestWith(ctx, k.asker())
	if err != nil {
		k.askAnew()
		return false
	}
	if len(resp.Brokers) < 3 {
		return false
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) || p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// coordinator is the node that coordinates a group.
func (k *kafka) coordinator(group string) int32 {
	k.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
	resp := ask[*kmsg.FindCoordinatorResponse](k, req)
	if len(resp.Coordinators) > 0 {
		return resp.Coordinators[0].NodeID
	}
	return resp.NodeID
}

// leader is the node that leads a partition; -1 while there is none.
func (k *kafka) leader(topic string, partition int32) int32 {
	k.t.Helper()
	return k.partition(topic, partition).Leader
}

// partition is what the cluster says of one.
func (k *kafka) partition(topic string, partition int32) kmsg.MetadataResponseTopicPartition {
	k.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	for _, t := range ask[*kmsg.MetadataResponse](k, req).Topics {
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p
			}
		}
	}
	return kmsg.MetadataResponseTopicPartition{Partition: partition, Leader: -1}
}

// lead moves a partition's leadership to the next of its replicas, as an operator does: that one comes first in the
// assignment, and then the preferred leader is elected.
func (k *kafka) lead(topic string, partition int32) {
	k.t.Helper()
	now := k.partition(topic, partition)
	at := slices.Index(now.Replicas, now.Leader)
	if at < 0 || len(now.Replicas) < 2 {
		k.t.Fatalf("%s/%d has the replicas %v and the leader %d", topic, partition, now.Replicas, now.Leader)
	}
	order := slices.Concat(now.Replicas[at+1:], now.Replicas[:at+1])

	move := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	mt, mp := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	mp.Partition, mp.Replicas = partition, order
	mt.Topic, mt.Partitions = topic, append(mt.Partitions, mp)
	move.Topics, move.TimeoutMillis = append(move.Topics, mt), 20_000
	moved := ask[*kmsg.AlterPartitionAssignmentsResponse](k, move)
	if err := errors.Join(kerr.ErrorForCode(moved.ErrorCode), kerr.ErrorForCode(moved.Topics[0].Partitions[0].ErrorCode)); err != nil {
		k.t.Fatalf("reorder the replicas of %s/%d to %v: %v", topic, partition, order, err)
	}

	elect := kmsg.NewPtrElectLeadersRequest()
	et := kmsg.NewElectLeadersRequestTopic()
	et.Topic, et.Partitions = topic, []int32{partition}
	elect.Topics, elect.TimeoutMillis = append(elect.Topics, et), 20_000
	eventually(k.t, fmt.Sprintf("node %d leads %s/%d", order[0], topic, partition), func() bool {
		ask[*kmsg.ElectLeadersResponse](k, elect) // refused until the new order is known
		return k.leader(topic, partition) == order[0]
	})
	k.journal.note("node %d leads %s/%d", order[0], topic, partition)
}

// groupBeside looks for a group whose coordinator leads the partition, and answers its name.
func (k *kafka) groupBeside(t testing.TB, topic string, partition int32) string {
	t.Helper()
	var group string
	eventually(t, "a group whose coordinator leads the partition", func() bool {
		group = name("g")
		return k.coordinator(group) == k.leader(topic, partition)
	})
	return group
}

// groupApartFrom looks for a group whose coordinator does not lead the partition, and answers its name.
func (k *kafka) groupApartFrom(t testing.TB, topic string, partition int32) string {
	t.Helper()
	var group string
	eventually(t, "a group with another coordinator than the partition's leader", func() bool {
		group = name("g")
		return k.coordinator(group) != k.leader(topic, partition)
	})
	return group
}
