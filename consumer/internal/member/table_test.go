package member

import (
	"reflect"
	"testing"
	"time"
)

// table drives one machine by hand: it keeps the last request of each kind, so that a test can answer it.
type table struct {
	t   *testing.T
	m   *machine
	now instant
	out []action // of the last step
	seq map[reflect.Type]int
}

func lay(t *testing.T, change ...func(*rules)) *table {
	r := usual
	for _, f := range change {
		f(&r)
	}
	return &table{t: t, m: newMachine(r), now: instant{1, 1}, seq: map[reflect.Type]int{}}
}

func (x *table) step(e event) *table {
	x.t.Helper()
	x.out = x.m.step(x.now, e)
	for _, a := range x.out {
		if f := reflect.ValueOf(a).FieldByName("seq"); f.IsValid() {
			x.seq[reflect.TypeOf(a)] = int(f.Int())
		}
	}
	return x
}

func (x *table) later(d time.Duration) *table {
	x.now = x.now.add(d)
	return x.step(tick{})
}

// got answers the action of a kind that the last step wanted.
func got[T action](x *table) (a T, ok bool) {
	for _, any := range x.out {
		if a, ok := any.(T); ok {
			return a, true
		}
	}
	return a, false
}

func want[T action](x *table) T {
	x.t.Helper()
	a, ok := got[T](x)
	if !ok {
		x.t.Fatalf("want %T, got %v in phase %v", a, x.said(), x.m.phase)
	}
	return a
}

func wantNo[T action](x *table) {
	x.t.Helper()
	if a, ok := got[T](x); ok {
		x.t.Fatalf("got %T%v in phase %v", a, a, x.m.phase)
	}
}

func (x *table) said() (all []string) {
	for _, a := range x.out {
		all = append(all, describe(a))
	}
	return all
}

func seqOf[T action](x *table) int { return x.seq[reflect.TypeFor[T]()] }

func (x *table) find() *table { return x.step(found{seq: seqOf[findCoordinator](x), addr: "c"}) }

func (x *table) join(member string, generation int32, leader string) *table {
	return x.step(joined{seq: seqOf[sendJoin](x), member: member, generation: generation, protocol: "p", leader: leader})
}

func (x *table) sync(partitions ...int32) *table {
	return x.step(synced{seq: seqOf[sendSync](x), sent: x.now, assigned: parts(partitions...)})
}

// beat answers the heartbeat that is out, or the next one as soon as it is.
func (x *table) beat(err error) *table {
	x.t.Helper()
	if x.m.beat == 0 {
		want[sendHeartbeat](x.later(max(x.now.until(x.m.beatAt), 0)))
	}
	return x.step(beaten{seqOf[sendHeartbeat](x), x.now, err})
}

func parts(ps ...int32) []tp {
	var all []tp
	for _, p := range ps {
		all = append(all, tp{"t", p})
	}
	return all
}

// member brings the table to a stable follower that owns these partitions.
func (x *table) member(partitions ...int32) *table {
	x.t.Helper()
	x.step(start{}).find()
	x.join("m", 1, "l").sync(partitions...)
	if x.m.phase != stable {
		x.t.Fatalf("phase %v", x.m.phase)
	}
	return x.beat(nil)
}

func eagerly(r *rules)       { r.cooperative = false }
func statically(r *rules)    { r.instance = "i" }
func leavingStatic(r *rules) { r.instance, r.leaveStatic = "i", true }
