package member

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

var quiet = slog.New(slog.DiscardHandler)

func encoded(t *testing.T, topics ...string) []byte {
	t.Helper()
	q := &sarama.JoinGroupRequest{}
	if err := q.AddGroupProtocolMetadata("p", &sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: topics, GenerationID: -1}); err != nil {
		t.Fatal(err)
	}
	return q.OrderedGroupProtocols[0].Metadata
}

// One member's metadata cannot be read. It gets nothing; the others are not kept from getting theirs.
func TestAMemberWhoseMetadataCannotBeRead(t *testing.T) {
	m := &Member{options: Options{Logger: quiet}}
	good, strange := m.subscriptions([]sarama.GroupMember{
		{MemberId: "a", Metadata: encoded(t, "t")},
		{MemberId: "b", Metadata: []byte{0, 1, 0, 0, 0, 9}},
	})
	if len(good) != 1 || !slices.Equal(good["a"].Topics, []string{"t"}) || !slices.Equal(strange, []string{"b"}) {
		t.Errorf("%v, %v", good, strange)
	}
}

// A plan was given up, because the coordinator moved, and is answered late: after the topic has grown, and after the plan
// that became the group's. What the leader compares with is that one.
func TestAnAnswerToAPlanThatWasGivenUp(t *testing.T) {
	cluster := conn.NewCluster(conn.Settings{Seeds: []string{"x:1"}})
	m := New(Options{Group: "g", Topics: []string{"t"}, Cluster: cluster, Coordinator: conn.NewCoordinator(nil, "")}, &recorder{changed: make(chan struct{})})
	seen := func(n int) map[string]conn.Topic {
		return map[string]conn.Topic{"t": {Partitions: make([]conn.Partition, n)}}
	}
	m.topics.lead(true)
	m.machine.phase, m.machine.request = planning, 9
	m.translate(planned{seq: 9, plan: &plan{topics: seen(4)}})
	m.machine.phase, m.machine.request = syncing, 10
	m.translate(planned{seq: 5, plan: &plan{topics: seen(6)}})
	if ev := m.onLooked(looked{m.topics.plans, seen(6), nil}); ev == nil {
		t.Error("two partitions have no owner, and the leader does not notice")
	}
	if ev := m.onLooked(looked{m.topics.plans, seen(4), nil}); ev != nil {
		t.Errorf("nothing has changed, and %+v", ev)
	}
}

// strategy is a user's own, which may panic.
type strategy struct {
	plan func() sarama.BalanceStrategyPlan
}

func (strategy) Name() string { return "own" }
func (s strategy) Plan(map[string]sarama.ConsumerGroupMemberMetadata, map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	return s.plan(), nil
}

func (strategy) AssignmentData(string, map[string][]int32, int32) ([]byte, error) { return nil, nil }

func TestDivide(t *testing.T) {
	members := map[string]sarama.ConsumerGroupMemberMetadata{"a": {Topics: []string{"t"}}, "b": {Topics: []string{"t"}}}
	there := map[string][]int32{"t": {0}}
	s := newAssignors([]sarama.BalanceStrategy{strategy{func() sarama.BalanceStrategyPlan {
		return sarama.BalanceStrategyPlan{"a": {"t": {0}}}
	}}}, quiet)
	q, _, err := s.divide(makePlan{protocol: "own"}, members, there)
	if err != nil || len(q.GroupAssignments) != 2 || q.GroupAssignments[1].MemberId != "b" || len(q.GroupAssignments[1].Assignment) == 0 {
		t.Errorf("%+v, %v: everybody gets an assignment, also an empty one", q, err)
	}
	if _, _, err := s.divide(makePlan{protocol: "another"}, members, there); err == nil {
		t.Error("a strategy from nowhere")
	}
	s = newAssignors([]sarama.BalanceStrategy{strategy{func() sarama.BalanceStrategyPlan { panic("metadata of another member's") }}}, quiet)
	if _, _, err := s.divide(makePlan{protocol: "own"}, members, there); err == nil || !strings.Contains(err.Error(), "metadata of another") {
		t.Errorf("got %v: the process must not end", err)
	}
	s = newAssignors([]sarama.BalanceStrategy{sarama.NewBalanceStrategyRoundRobin()}, quiet) // takes no topics for an error
	if q, _, err := s.divide(makePlan{protocol: "roundrobin"}, members, nil); err != nil || len(q.GroupAssignments) != 2 {
		t.Errorf("%+v, %v", q, err)
	}
}

// sticky is eager and keeps what was assigned in user data, which it wants back with the next subscription.
func TestUserDataIsEchoed(t *testing.T) {
	s := newAssignors([]sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}, quiet)
	q := &sarama.SyncGroupRequest{}
	if err := q.AddGroupAssignmentMember("m", &sarama.ConsumerGroupMemberAssignment{Topics: map[string][]int32{"t": {1, 0}}, UserData: []byte("letters")}); err != nil {
		t.Fatal(err)
	}
	tps, err := s.assigned(&sarama.SyncGroupResponse{MemberAssignment: q.GroupAssignments[0].Assignment}, sendSync{protocol: "sticky", generation: 1})
	if err != nil || !slices.Equal(tps, parts(0, 1)) {
		t.Errorf("%v, %v", tps, err)
	}
	j := &sarama.JoinGroupRequest{}
	if err := s.subscribe(j, []string{"t"}, sendJoin{}); err != nil {
		t.Fatal(err)
	}
	meta, err := (&sarama.JoinGroupResponse{Members: []sarama.GroupMember{{MemberId: "m", Metadata: j.OrderedGroupProtocols[0].Metadata}}}).GetMembers()
	if err != nil || string(meta["m"].UserData) != "letters" {
		t.Errorf("%v, %v", meta, err)
	}
	if _, err := s.assigned(&sarama.SyncGroupResponse{MemberAssignment: []byte{1}}, sendSync{}); err == nil {
		t.Error("an assignment that cannot be read")
	}
}

// KIP-429: the member keeps its partitions over a rebalance only if every listed strategy allows it.
func TestAListIsAsCooperativeAsItsLeast(t *testing.T) {
	coop, rng := sarama.NewBalanceStrategyCooperativeSticky(), sarama.NewBalanceStrategyRange()
	for _, x := range []struct {
		list []sarama.BalanceStrategy
		want bool
	}{
		{[]sarama.BalanceStrategy{coop}, true},
		{[]sarama.BalanceStrategy{rng}, false},
		{[]sarama.BalanceStrategy{coop, rng}, false},
		{[]sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}, false},
	} {
		if got := cooperative(x.list); got != x.want {
			t.Errorf("%v: %v", x.list, got)
		}
	}
}

// Every broker must refuse us before waiting is said to be in vain; one that hangs up refuses us only as long as
// none has ever let us in.
func TestDenied(t *testing.T) {
	refused := errors.New("connection refused")
	all := func(errs ...error) error { return &conn.NoBrokerError{Errs: errs} }
	hung := fmt.Errorf("broker b: %w", io.EOF)
	for _, x := range []struct {
		err  error
		met  bool
		want bool
	}{
		{all(sarama.ErrSASLAuthenticationFailed, sarama.ErrSASLAuthenticationFailed), true, true},
		{all(sarama.ErrSASLAuthenticationFailed, refused), false, false},
		{all(hung, hung), false, true},
		{all(hung, hung), true, false},
		{refused, false, false},
	} {
		if got := denied(x.err, x.met); got != x.want {
			t.Errorf("%v, met %v: %v", x.err, x.met, got)
		}
	}
	if text := unreachable("g", hung, false, false, false).Error(); !strings.Contains(text, "set TLS") {
		t.Errorf("%q", text)
	}
	if text := unreachable("g", hung, true, false, true).Error(); strings.Contains(text, "set TLS") {
		t.Errorf("%q: it worked before", text)
	}
	for _, owner := range []bool{true, false} { // who owns nothing need not be told what becomes of it
		if text := unreachable("g", hung, true, false, owner).Error(); strings.Contains(text, "until the lease ends") != owner {
			t.Errorf("owner %v: %q", owner, text)
		}
	}
}

// What is told is told once, all of it together, and nil when nothing is left to say.
func TestNotices(t *testing.T) {
	var told []string
	n := notices{tell: func(err error) { told = append(told, fmt.Sprint(err)) }}
	n.update()
	n.topics = map[string]error{"b": errors.New("B"), "a": errors.New("A")}
	n.update()
	n.update()
	n.coordinator = errors.New("C")
	n.update()
	n.topics = nil
	n.update()
	n.coordinator = nil
	n.update()
	if want := []string{"A\nB", "C\nA\nB", "C", "<nil>"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
