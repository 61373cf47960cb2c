package member

// phase of the membership. Heartbeats are sent in all of them while there is a generation.
type phase int

const (
	idle     phase = iota // not started
	unjoined              // must join; perhaps waits for releases, a pause, or the coordinator
	joining               // JoinGroup is out: waits for the other members
	planning              // leader only: the assignment is being made
	syncing               // SyncGroup is out: waits for the leader's plan
	stable                // assigned
	leaving               // LeaveGroup is out
	ended
)

var phaseNames = [...]string{"idle", "unjoined", "joining", "planning", "syncing", "stable", "leaving", "ended"}

func (p phase) String() string { return phaseNames[p] }
