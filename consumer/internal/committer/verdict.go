package committer

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// verdict is what the answer for one partition means. The zero value is an acknowledgement.
type verdict struct {
	failed bool
	// group: the cause concerns every partition, so nothing is sent before the pause is over. Else only this
	// partition pauses, and no other waits for it.
	group bool
	// pace of the pauses. There is no last attempt: an offset is tried for as long as its claim is open.
	pace pace
	// report it to the member: it says something about the membership or the coordinator.
	report bool
	// bare: once more, without metadata.
	bare bool
	// remedy says what somebody has to do; "" where it passes by itself.
	remedy string
}

// verdicts are the errors that an OffsetCommit is answered with (Kafka: GroupMetadataManager and its successor
// OffsetMetadataManager, which also turn a failed append to __consumer_offsets into COORDINATOR_NOT_AVAILABLE,
// NOT_COORDINATOR or INVALID_COMMIT_OFFSET_SIZE).
//
// ILLEGAL_GENERATION comes with an identity that is out of date, REBALANCE_IN_PROGRESS between a join and its
// sync: the identity has been renewed then already and may stay as it is, so neither waits for a change alone.
var verdicts = map[sarama.KError]verdict{
	sarama.ErrIllegalGeneration:   {group: true, pace: settling, report: true},
	sarama.ErrRebalanceInProgress: {group: true, pace: settling, report: true},
	sarama.ErrUnknownMemberId:     {group: true, pace: quick, report: true},
	sarama.ErrFencedInstancedId: {
		group: true, pace: quick, report: true,
		remedy: "another process uses the same InstanceID: give each process its own",
	},
	sarama.ErrGroupIDNotFound: {group: true, pace: quick, report: true},

	sarama.ErrNotCoordinatorForConsumer:       {group: true, pace: quick, report: true},
	sarama.ErrConsumerCoordinatorNotAvailable: {group: true, pace: quick, report: true},
	sarama.ErrOffsetsLoadInProgress:           {group: true, pace: quick},
	sarama.ErrRequestTimedOut:                 {group: true, pace: quick},

	sarama.ErrGroupAuthorizationFailed: {
		group: true, pace: slow, report: true,
		remedy: "grant READ on the group to this client's principal",
	},
	sarama.ErrInvalidGroupId: {group: true, pace: slow, remedy: "correct the group's name"},

	sarama.ErrTopicAuthorizationFailed: {pace: slow, remedy: "grant READ on the topic to this client's principal"},
	sarama.ErrUnknownTopicOrPartition:  {pace: slow, remedy: "the topic was deleted, or this broker does not know it yet"},
	sarama.ErrInvalidCommitOffsetSize: {
		pace:   slow,
		remedy: "the broker could not append the offset to __consumer_offsets: raise that topic's max.message.bytes",
	},
	sarama.ErrOffsetMetadataTooLarge: {
		pace: atOnce, bare: true,
		remedy: "committed without what does not fit of attempts, park, and what is finished beyond the offset: raise the brokers' offset.metadata.max.bytes to 4096, its default",
	},
}

// noAnswer is why a request was not answered: a connection's end, a deadline, no coordinator. There may be a code in
// it all the same: a refused login (SASL_AUTHENTICATION_FAILED) is the answer to a request that came before. It says
// nothing about a partition, and judged as one partition's fault it had each partition log in by itself.
type noAnswer struct{ error }

// Unwrap returns the cause.
func (e noAnswer) Unwrap() error { return e.error }

// Unanswered is the error of a request that was not answered.
func Unanswered(err error) error { return noAnswer{err} }

// judge says what an answer means. err is nil, a sarama.KError from the answer, or a noAnswer.
func judge(err error) verdict {
	if err == nil {
		return verdict{}
	}
	var code sarama.KError
	switch {
	case errors.As(err, &noAnswer{}):
		return verdict{failed: true, group: true, pace: quick, report: true}
	case errors.As(err, &code):
	default: // the answer leaves the partition out
		return verdict{failed: true, pace: slow}
	}
	v, known := verdicts[code]
	if !known {
		v = verdict{pace: slow}
	}
	v.failed = true
	return v
}

// CommitError says why an offset was not committed.
type CommitError struct {
	Remedy string // what to do; "" where it passes by itself
	Err    error  // a sarama.KError, or why there was no answer
}

// Error gives the cause and the remedy.
func (e *CommitError) Error() string {
	text := fmt.Sprintf("ottla: the offset was not committed: %v", e.Err)
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *CommitError) Unwrap() error { return e.Err }
