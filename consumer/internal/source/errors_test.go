package source

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/supervisor"
)

func TestJudge(t *testing.T) {
	for code, want := range map[sarama.KError]verdict{
		sarama.ErrNoError:                     fine,
		sarama.ErrOffsetOutOfRange:            giveUp,
		sarama.ErrTopicAuthorizationFailed:    giveUp,
		sarama.ErrInvalidMessage:              giveUp,
		sarama.ErrUnsupportedForMessageFormat: giveUp,
		sarama.ErrUnsupportedCompressionType:  giveUp,
		sarama.ErrInvalidTopic:                giveUp,
		sarama.ErrNotLeaderForPartition:       tryAgain,
		sarama.ErrFencedLeaderEpoch:           tryAgain,
		sarama.ErrUnknownLeaderEpoch:          tryAgain,
		sarama.ErrUnknownTopicOrPartition:     tryAgain,
		sarama.ErrLeaderNotAvailable:          tryAgain,
		sarama.ErrReplicaNotAvailable:         tryAgain,
		sarama.ErrKafkaStorageError:           tryAgain,
		sarama.ErrOffsetNotAvailable:          tryAgain,
		sarama.ErrUnknown:                     tryAgain,
		sarama.KError(999):                    tryAgain, // of a Kafka to come
	} {
		if got := judge(code); got != want {
			t.Errorf("%v (%d): %d, want %d", code, code, got, want)
		}
	}
}

// TestExplain: what a user reads names the place, and says what to do.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err   error
		words []string
	}{
		{sarama.ErrTopicAuthorizationFailed, []string{"orders/3@17", "not authorised", "grant READ", "un-park"}},
		{sarama.ErrInvalidMessage, []string{"orders/3@17", "corrupt", "skip the offset"}},
		{sarama.ErrUnsupportedCompressionType, []string{"orders/3@17", "zstd", "Version"}},
		{sarama.PacketDecodingError{Info: "CRC didn't match"}, []string{"orders/3@17", "cannot be decoded", "skip the offset", "CRC"}},
		{fmt.Errorf("%w: gzip batch", sarama.ErrDecompressedBatchTooLarge), []string{"orders/3@17", "too large", "MaxDecompressedBatchSize"}},
	} {
		err := explain("orders", 3, 17, c.err)
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q lacks %q", err, w)
			}
		}
		var pe *PartitionError
		if !errors.As(err, &pe) || pe.Offset != 17 || !errors.Is(err, c.err) {
			t.Errorf("%v is not what it was made of", err)
		}
	}
	var out *supervisor.OutOfRangeError
	if err := explain("orders", 3, 17, fmt.Errorf("broker x: %w", sarama.ErrOffsetOutOfRange)); !errors.As(err, &out) || out.Offset != 17 || !errors.Is(err, sarama.ErrOffsetOutOfRange) {
		t.Errorf("%v", err)
	}
}

// TestDecoding: io.ErrUnexpectedEOF is what a closed connection gives, and what a truncated gzip stream in a batch
// gives. Taking the second for the first connects anew for ever, and starves every partition of that broker.
func TestDecoding(t *testing.T) {
	for _, c := range []struct {
		name              string
		err               error
		connected, broken bool
		want              bool
	}{
		{"a checksum", sarama.PacketDecodingError{Info: "CRC"}, true, false, true},
		{"a short batch", sarama.ErrInsufficientData, true, false, true},
		{"too large", sarama.ErrDecompressedBatchTooLarge, true, false, true},
		{"a truncated gzip stream", io.ErrUnexpectedEOF, true, false, true},
		{"whatever a decompressor says", errors.New("zstd: corrupt"), true, false, true},
		{"the broker closed", io.EOF, true, true, false},
		{"in the middle", io.ErrUnexpectedEOF, true, true, false},
		{"never connected", errors.New("tls: unknown authority"), false, false, false},
		{"login renewed and refused", sarama.ErrSASLAuthenticationFailed, true, false, false},
		{"silence", &net.OpError{Op: "read", Err: errors.New("i/o timeout")}, true, false, false},
		{"closed by sarama", sarama.ErrNotConnected, true, false, false},
		{"nothing was sent", sarama.ErrUnsupportedVersion, true, false, false},
		{"nor could it be written", sarama.PacketEncodingError{Info: "x"}, true, false, false},
	} {
		if got := decoding(c.err, c.connected, c.broken); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
