package member

// action is what the machine wants done, in the order it wants it. Requests are made in the background and
// answered by an event with the same seq.
type action interface{ action() }

type (
	findCoordinator struct{ seq int }
	// useCoordinator drops the connections in use, with the requests in flight; "": no coordinator is known.
	useCoordinator struct{ addr string }
	sendJoin       struct {
		seq        int
		member     string
		owned      []tp // claimed in the metadata of the join
		generation int32
		reason     string
	}
	makePlan struct {
		seq        int
		protocol   string
		generation int32
		members    any
	}
	sendSync struct {
		seq        int
		member     string
		generation int32
		protocol   string
		plan       any // nil: a follower's
	}
	sendHeartbeat struct {
		seq        int
		member     string
		generation int32
	}
	sendLeave struct {
		seq    int
		member string
	}

	// identify: requests carry this from now on.
	identify struct {
		member     string
		generation int32
	}
	// member is told to the supervisor: we are one, what is ours follows.
	member struct {
		id         string
		generation int32
	}
	// assign: ours from now on.
	assign struct{ tps []tp }
	// revoke: give up in order, then released; at the latest a little after by.
	revoke struct {
		tps []tp
		by  instant
	}
	// lose: not ours any more, somebody else may have it, nothing can be committed.
	lose struct {
		tps []tp
		err error
	}
	// watch: we lead the group, and must notice when the subscribed topics change; or do not any more.
	watch struct{ on bool }
	// notice: the coordinator cannot be worked with, for this reason; nil: it can again.
	notice struct{ err error }
	// stalled: the coordinator works, but no assignment comes about, for this reason; nil: one has.
	stalled struct{ err error }
	// fail: the membership is over for good. Nothing follows.
	fail struct{ err error }
	// end: the membership has ended as it was asked to. Nothing follows.
	end struct{}
)

func (findCoordinator) action() {}
func (useCoordinator) action()  {}
func (sendJoin) action()        {}
func (makePlan) action()        {}
func (sendSync) action()        {}
func (sendHeartbeat) action()   {}
func (sendLeave) action()       {}
func (identify) action()        {}
func (member) action()          {}
func (assign) action()          {}
func (revoke) action()          {}
func (lose) action()            {}
func (watch) action()           {}
func (notice) action()          {}
func (stalled) action()         {}
func (fail) action()            {}
func (end) action()             {}
