package conformance

import (
	"syscall"
	"testing"
)

// TestLostBySIGSTOP: a member's process is stopped for longer than its session, and another member takes its partitions
// over. On waking, contexts end with ErrLost, the hook says lost and not revoked, and though its handlers answer
// with success, no commit of the old claims is accepted. Handled twice is only what was unfinished or uncommitted.
func TestLostBySIGSTOP(t *testing.T) {
	const partitions, each = 4, 1500
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	child := k.spawn(group, topic)
	eventually(t, "the child stands on partition 0 and works on the others", func() bool {
		ends := map[int32]int64{}
		for _, l := range child.said("end") {
			ends[l.partition] = l.offset
		}
		return ends[0] == stands-1 && ends[1] > 100 && ends[2] > 100 && ends[3] > 100
	})
	child.signal(t, syscall.SIGSTOP)
	watched := k.neverBack(group, topic)
	before := k.committed(group, topic)

	l := newLedger(partitions, each)
	for p := range int32(partitions) {
		l.expect(p, before[p], each) // at least; a request that was under way may have moved it
	}
	cfg := k.config("b", group, topic)
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "the other member has processed what was left", l.done)
	all := func() bool {
		for p := range int32(partitions) {
			if k.committed(group, topic)[p] != each {
				return false
			}
		}
		return true
	}
	eventually(t, "all is committed", all)

	woken := len(child.said("end"))
	child.signal(t, syscall.SIGCONT)
	eventually(t, "the child has lost its claims", func() bool {
		if !all() {
			t.Fatalf("a stopped member moved committed offsets: %v", k.committed(group, topic))
		}
		return len(child.said("lost")) == partitions
	})
	eventually(t, "the child has come back", func() bool {
		if !all() {
			t.Fatalf("a stopped member moved committed offsets: %v", k.committed(group, topic))
		}
		return len(child.said("assigned")) > partitions
	})
	if revoked := child.said("revoked"); len(revoked) > 0 {
		t.Errorf("the hook said revoked: %+v", revoked)
	}
	var stood []string
	for _, l := range child.said("end")[woken:] {
		if l.partition == 0 && l.offset == stands {
			stood = append(stood, l.rest)
		}
	}
	if len(stood) != 1 || stood[0] != "lost" {
		t.Errorf("the handler that stood ended with %v, want once, by ErrLost", stood)
	}
	t.Logf("after waking, %d handlers ended before they knew", len(child.said("end")[woken:])-1)

	// Behind it, both are members as before.
	k.fill(topic, partitions, each, each+50)
	eventually(t, "both go on", func() bool {
		for p := range int32(partitions) {
			if k.committed(group, topic)[p] != each+50 {
				return false
			}
		}
		return true
	})
	child.signal(t, syscall.SIGTERM)
	received(t, child.done, "the child ends")
	if out := child.said("out"); len(out) > 0 {
		t.Errorf("the child's Run answered %+v", out)
	}
	b.leave()
	watched()
	for _, f := range l.faults {
		t.Error(f)
	}
	if l.duplicates > 0 {
		t.Errorf("b finished %d records twice", l.duplicates)
	}
}
