package consumertest

import (
	"bytes"
	"testing"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
)

// The log keeps what is finished beyond the offset, as the brokers do; what does not fit is left out, and the rest stays.
func TestALogKeepsWhatIsFinishedBeyondTheOffset(t *testing.T) {
	l := newPartitionLog(place{"orders", 0})
	want := actors.Progress{Next: 7, Attempt: 2, Finished: actors.EncodeSpans(7, []actors.Span{{First: 9, Last: 300}})}
	if _, without := l.commit(want); without {
		t.Error("it was left out")
	}
	if got, known, err := l.last(); !known || err != nil || !got.Equal(want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	Attempts(4)(l)
	want.Attempt = 4
	if got, _, _ := l.last(); !got.Equal(want) {
		t.Errorf("with other attempts: %+v, want %+v", got, want)
	}
	want.Next, want.Finished = 8, bytes.Repeat([]byte{1}, metadata.Limit)
	if _, without := l.commit(want); !without {
		t.Error("it fits")
	}
	want.Finished = nil
	if got, _, err := l.last(); err != nil || !got.Equal(want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
