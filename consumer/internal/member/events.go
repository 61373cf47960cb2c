package member

import "cmp"

// tp is a partition of a topic.
type tp struct {
	topic     string
	partition int32
}

func (a tp) compare(b tp) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// event is what happens to the machine. A seq names the request that is answered: an answer to a request that
// was given up meanwhile is ignored. An err that is (or wraps) a sarama.KError is the broker's, an unusable one is
// ours, any other one means that nobody answered.
type event interface{ event() }

type (
	// start: join the group.
	start struct{}
	// stop: give everything up in order, then leave. by is when nobody will wait any longer; never: no limit.
	stop struct{ by instant }
	// cut: end now, whatever is owned or in flight.
	cut struct{}
	// tick: the time that next named has come.
	tick struct{}

	// found answers findCoordinator. denied: we are refused for our security settings.
	found struct {
		seq    int
		addr   string
		err    error
		denied bool
	}
	// joined answers sendJoin. timedOut: nobody answered in time.
	joined struct {
		seq              int
		err              error
		timedOut         bool
		member           string
		generation       int32
		protocol, leader string
		members          any // for the leader; handed on to makePlan
	}
	// planned answers makePlan. withheld: the plan gives partitions to nobody that a member is to give up first.
	planned struct {
		seq      int
		err      error
		plan     any // handed on to sendSync
		withheld bool
	}
	// synced answers sendSync.
	synced struct {
		seq      int
		sent     instant
		err      error
		assigned []tp
	}
	// beaten answers sendHeartbeat.
	beaten struct {
		seq  int
		sent instant
		err  error
	}
	// left answers sendLeave.
	left struct {
		seq int
		err error
	}
	// released: partitions that were to be given up are.
	released struct{ tps []tp }
	// rejoin: something changed that the group must know.
	rejoin struct{ reason string }
	// told: a commit was answered with an error that concerns the membership it was sent with.
	told struct {
		member     string
		generation int32
		err        error
	}
)

func (start) event()    {}
func (stop) event()     {}
func (cut) event()      {}
func (tick) event()     {}
func (found) event()    {}
func (joined) event()   {}
func (planned) event()  {}
func (synced) event()   {}
func (beaten) event()   {}
func (left) event()     {}
func (released) event() {}
func (rejoin) event()   {}
func (told) event()     {}
