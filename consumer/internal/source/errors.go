package source

import (
	"errors"
	"fmt"
	"net"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/supervisor"
)

// verdict is what an error means for a partition.
type verdict uint8

const (
	// fine: no error.
	fine verdict = iota
	// give up: somebody has to act. The sink is told, and the partition waits for a Seek.
	giveUp
	// tryAgain: look up the leader anew and ask again, paced.
	tryAgain
)

// PartitionError is why a partition cannot be read until somebody acts. It names the place and the remedy.
type PartitionError struct {
	Topic     string
	Partition int32
	Offset    int64 // that was asked for; -1: none in particular
	What      string
	Remedy    string
	Err       error // the broker's or sarama's
}

// Error names the place, the fault and what to do.
func (e *PartitionError) Error() string {
	where := fmt.Sprintf("%s/%d", e.Topic, e.Partition)
	if e.Offset >= 0 {
		where += fmt.Sprintf("@%d", e.Offset)
	}
	return fmt.Sprintf("ottla: %s: %s; %s: %v", where, e.What, e.Remedy, e.Err)
}

// Unwrap returns the broker's or sarama's error.
func (e *PartitionError) Unwrap() error { return e.Err }

// remedies are the errors for which trying again does not help. What is not listed is tried again: leaders move,
// brokers start, topics appear, disks come back, and a partition that asks in vain is told to the user after a while.
var remedies = map[sarama.KError]struct{ what, remedy string }{
	sarama.ErrTopicAuthorizationFailed: {
		"not authorised to read the topic", "grant READ and DESCRIBE on it to this client's principal, then un-park",
	},
	sarama.ErrInvalidMessage: {
		"the broker says that the batch there is corrupt", "repair the partition on the broker, or skip the offset",
	},
	sarama.ErrUnsupportedForMessageFormat: {
		"the topic's message format is too old for this request", "raise the topic's message.format.version, or skip the offset",
	},
	sarama.ErrUnsupportedCompressionType: {
		"the batch there is compressed in a way that the request's version does not know (zstd needs Kafka 2.1)",
		"raise the sarama configuration's Version to that of the brokers",
	},
	sarama.ErrInvalidTopic: {"the broker does not accept the topic's name", "correct the name"},
}

// judge says what a broker's error code means.
func judge(code sarama.KError) verdict {
	if code == sarama.ErrNoError {
		return fine
	}
	if _, ok := remedies[code]; ok || code == sarama.ErrOffsetOutOfRange {
		return giveUp
	}
	return tryAgain
}

// explain turns an error for which trying again does not help into the one that the sink is told.
func explain(topic string, partition int32, offset int64, err error) error {
	e := &PartitionError{Topic: topic, Partition: partition, Offset: offset, Err: err,
		What: "the batch there cannot be decoded", Remedy: "skip the offset, or seek behind the batch"}
	var code sarama.KError
	switch {
	case errors.Is(err, sarama.ErrDecompressedBatchTooLarge):
		e.What = "the batch there is too large when decompressed"
		e.Remedy = "raise sarama.MaxDecompressedBatchSize, or skip the offset"
	case errors.Is(err, errCrammed):
		e.What = "the batch there cannot be read"
	case !errors.As(err, &code):
	case code == sarama.ErrOffsetOutOfRange:
		return &supervisor.OutOfRangeError{Offset: offset, Err: err}
	default:
		if r, ok := remedies[code]; ok {
			e.What, e.Remedy = r.what, r.remedy
		}
	}
	return e
}

// errCrammed is sarama's limit: it takes no array for whole that has more elements than bytes, before it decompresses
// (realDecoder.getArrayLength). Small records that are all alike come to less than a byte each.
var errCrammed = fmt.Errorf("it is damaged, or has more records than compressed bytes, which sarama does not decode "+
	"(have the producer make smaller batches, or compress less): %w", sarama.ErrInsufficientData)

// decoding says of a failed Fetch that the answer arrived and could not be decoded, as opposed to a connection
// that failed. connected: the connection was made, logged in and all; broken: reading or writing failed since.
//
// The error alone does not tell: a truncated gzip stream and a closed connection are both io.ErrUnexpectedEOF.
func decoding(err error, connected, broken bool) bool {
	var code sarama.KError
	var network net.Error
	var encoding sarama.PacketEncodingError
	switch {
	case !connected || broken:
		return false
	case errors.As(err, &code): // a renewed login was refused
		return false
	case errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, sarama.ErrNotConnected):
		return false
	case errors.As(err, &encoding), errors.Is(err, sarama.ErrUnsupportedVersion): // nothing was sent
		return false
	default:
		return true
	}
}
