package member

import (
	"errors"
	"flag"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/ottla-go/ottla/consumer/internal/planted"
)

var stepsPlanted = flag.Bool("steps.planted", false, "show that planted faults are found: compiles the simulation once for each of them")

// weakness is a fault that somebody might build in one day.
type weakness struct {
	name  string
	edits []planted.Edit
}

// Where the planted faults are. The steps of a commit are taken by the simulation, as the committer's loop takes them.
const (
	inBacklog   = "../../../actors/backlog.go"
	inCommits   = "simulation_commits_test.go"
	inCore      = "../committer/core.go"
	inNotes     = "../committer/notes.go"
	inPending   = "../committer/pending.go"
	inHeartbeat = "heartbeat.go"
	inJoin      = "join.go"
	inLease     = "lease.go"
	inRequests  = "requests.go"
	inRevoke    = "revoke.go"
	inSync      = "sync.go"
)

// plantedFaults leaves out what the lease makes good here, and so is not found: that a member which the coordinator does
// not know keeps what it owned, and that the lease counts from the answer.
var plantedFaults = []weakness{
	{"a refused commit is sent once more, with the identity of now", []planted.Edit{
		{inCommits, "\tvar dones []func(error)\n", "\tvar dones []func(error)\n\tif again := p.place.Identity(); err != nil && again != who {\n\t\tc.send(again, list)\n\t\treturn\n\t}\n"},
	}},
	{"the identity is read after the claims", []planted.Edit{
		{inCommits, "c.p.after(c.pause(), func() { c.send(who, list) })", "c.p.after(c.pause(), func() { c.send(c.p.place.Identity(), list) })"},
	}},
	{"lost claims are not fenced", []planted.Edit{
		{inNotes, "if n.closed || n.fenced || n.acked == n.said {", "if n.closed || n.acked == n.said {"},
	}},
	{"closed claims are committed", []planted.Edit{
		{inNotes, "if n.closed || n.fenced || n.acked == n.said {", "if n.acked == n.said {"},
		{inCore, "\t\tc.pending.drop(k)\n\t\treturn\n", ""},
	}},
	{"the answer to a commit counts for what was noted after it was sent", []planted.Edit{
		{inNotes, "n.flying, n.acked = false, n.sent", "n.flying, n.acked = false, n.said"},
	}},
	{"a refused commit is not tried again", []planted.Edit{
		{inPending, "\t\te.dirty, e.urgent = true, e.urgent || e.rushed\n", "\t\te.urgent = e.urgent || e.rushed\n"},
	}},
	{"the lease is twice the session", []planted.Edit{
		{inLease, "m.session * 9 / 10); ", "m.session * 2); "},
	}},
	{"the lease is never over", []planted.Edit{
		{inLease, "if len(m.owned) == 0 || !now.reached(m.leased()) {", "if len(m.owned) == 0 || now.reached(now) {"},
	}},
	{"the lease knows nothing of rebalances", []planted.Edit{
		{inLease, "\treturn either(m.lease, m.place)\n", "\treturn m.lease\n"},
	}},
	{"heartbeats keep the place while the group waits for a sync", []planted.Edit{
		{inHeartbeat, "if m.seated {", "if true {"},
	}},
	{"a join is waited for as long as a sync", []planted.Edit{
		{inRequests, "return max(rebalance/2, request)", "return rebalance + request"},
	}},
	{"a join does not claim what is still being given up", []planted.Edit{
		{inJoin, "m.claimed = m.ours(func(tp, *claim) bool { return true })", "m.claimed = m.ours(func(_ tp, c *claim) bool { return c.kept() })"},
	}},
	{"an eager member joins before it has given everything up", []planted.Edit{
		{inJoin, "\tdefault:\n\t\treturn m.cooperative\n", "\tdefault:\n\t\treturn true\n"},
	}},
	{"what is not released in time is never lost", []planted.Edit{
		{inRevoke, "\tm.lose(late, ErrRevokeTimeout)\n", "\t_ = late\n"},
	}},
	{"a partition is taken although the lease is over", []planted.Edit{
		{inSync, "\tif now.reached(m.leased()) { // nothing is ours before the next heartbeat is answered well\n\t\treturn\n\t}\n", ""},
		{inSync, "\tif now.reached(m.leased()) { // an answer from the past: we slept, and somebody else may have all of it\n\t\tm.tardy(now, ErrLease)\n\t\treturn\n\t}\n", ""},
	}},
	{"the offsets of finished records are counted by one", []planted.Edit{
		{inBacklog, "b.next = b.at(0).offset + 1", "b.next++"},
	}},
	{"what is appended to a parked backlog is dropped", []planted.Edit{
		{inBacklog, "if b.state == stopping || seek != b.seek", "if b.gate.Kind == Parked || b.state == stopping || seek != b.seek"},
	}},
	{"what is fetched ends a park", []planted.Edit{
		{inBacklog, "\tb.state = assigned\n", "\tb.state, b.gate = assigned, Gate{}\n"},
	}},
	{"what an older seek fetched is taken", []planted.Edit{
		{inBacklog, "if b.state == stopping || seek != b.seek ||", "if b.state == stopping ||"},
	}},
	{"a seek waits for the very offset", []planted.Edit{
		{inBacklog, "for i < n && batch.Offset(i) < from {", "for i < n && (batch.Offset(i) < from || b.state == awaitingSeek && batch.Offset(i) != from) {"},
	}},
	{"a static member's partitions are kept for its session", []planted.Edit{
		{inLease, "\treturn either(m.lease, m.place)\n", "\tif m.instance != \"\" && m.seated {\n\t\treturn m.lease\n\t}\n\treturn either(m.lease, m.place)\n"},
	}},
	{"who is fenced by a second process goes on", []planted.Edit{
		{"errors.go", "\tcase sarama.ErrFencedInstancedId, sarama.ErrGroupAuthorizationFailed,", "\tcase sarama.ErrGroupAuthorizationFailed,"},
	}},
	{"who is fenced because the coordinator died ends", []planted.Edit{
		{"coordinator.go", "case k == sarama.ErrFencedInstancedId && m.fledgling && m.orphan:", "case k == sarama.ErrFencedInstancedId && m.fledgling && m.orphan && m.healed < 0:"},
	}},
	{"a record that failed is taken for finished", []planted.Edit{
		{inBacklog, "\te.state = waiting\n\tif again != nil {", "\tif again != nil {\n\t\treturn b.Finish(offset)\n\t}\n\te.state = waiting\n\tif again != nil {"},
	}},
}

// TestStepsFindPlantedFaults shows that the simulation finds what it is made for, in how many of how many schedules, and
// with how few events. Without -steps.planted, only the faults' places in the code are checked.
//
//	go test ./consumer/internal/member -run StepsFindPlanted -steps.planted -v
func TestStepsFindPlantedFaults(t *testing.T) {
	for _, f := range plantedFaults {
		t.Run(f.name, func(t *testing.T) {
			overlay := planted.Overlay(t, f.edits)
			if !*stepsPlanted {
				return
			}
			binary := planted.Compile(t, overlay)
			t.Log(search(t, binary))
		})
	}
}

var (
	stepsTotals = regexp.MustCompile(`(\d+) schedules, (\d+) failed`)
	stepsFirst  = regexp.MustCompile(`violation: (.*)\n\s*(\d+ of \d+ events)`)
)

// search runs schedules of a binary with a fault in it, and says how it was found.
func search(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSteps$", "-test.v", "-test.timeout", "20m",
		"-steps.schedules", "10000", "-steps.failures", strconv.Itoa(*stepsFailures)).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Error("not found in 10,000 schedules")
		return ""
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	n, v := stepsTotals.FindSubmatch(out), stepsFirst.FindSubmatch(out)
	if n == nil || v == nil {
		return "the run did not come to its end: " + string(out[max(0, len(out)-500):])
	}
	return "found in " + string(n[2]) + " of " + string(n[1]) + " schedules; the first, " + string(v[2]) + ": " + string(v[1])
}
