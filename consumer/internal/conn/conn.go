package conn

import "github.com/IBM/sarama"

// Conn is one connection to one broker, for one request at a time. The request methods block until the answer
// or the connection's end; concurrent calls wait for each other. The connection is made in the background:
// that it could not be made is the error of the first request.
//
// It is an interface so that a scripted broker can stand in; [Broker] is the real one.
type Conn interface {
	JoinGroup(*sarama.JoinGroupRequest) (*sarama.JoinGroupResponse, error)
	SyncGroup(*sarama.SyncGroupRequest) (*sarama.SyncGroupResponse, error)
	Heartbeat(*sarama.HeartbeatRequest) (*sarama.HeartbeatResponse, error)
	LeaveGroup(*sarama.LeaveGroupRequest) (*sarama.LeaveGroupResponse, error)
	CommitOffset(*sarama.OffsetCommitRequest) (*sarama.OffsetCommitResponse, error)
	FetchOffset(*sarama.OffsetFetchRequest) (*sarama.OffsetFetchResponse, error)
	FindCoordinator(*sarama.FindCoordinatorRequest) (*sarama.FindCoordinatorResponse, error)
	GetMetadata(*sarama.MetadataRequest) (*sarama.MetadataResponse, error)
	GetAvailableOffsets(*sarama.OffsetRequest) (*sarama.OffsetResponse, error)

	// Kill ends the connection and with it the request in flight. It returns at once, may be called from any
	// goroutine and more than once. Every later request fails.
	Kill()
}
