package committer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
)

// Every code has a verdict, none of them ends the tries, and none of them spins: a pause of its own, or another request.
func TestEveryCodeHasAVerdict(t *testing.T) {
	for code := sarama.KError(-1); code < 150; code++ {
		v := judge(code)
		switch {
		case code == sarama.ErrNoError:
		case !v.failed:
			t.Errorf("%d is taken for an acknowledgement", code)
		case v.pace == atOnce && !v.bare:
			t.Errorf("%d is tried again at once and unchanged", code)
		case v.bare && v.group:
			t.Errorf("%d is about metadata and holds everything back", code)
		}
		if wrapped := judge(fmt.Errorf("broker b:1: %w", code)); code != 0 && wrapped != v {
			t.Errorf("%d wrapped is %+v, else %+v", code, wrapped, v)
		}
	}
	if v := judge(nil); v.failed {
		t.Error("no error is a failure")
	}
	for _, err := range []error{errors.New("EOF"), context.DeadlineExceeded, fmt.Errorf("broker b:1: %w", sarama.ErrSASLAuthenticationFailed)} {
		if v := judge(noAnswer{err}); !v.failed || !v.group || !v.report {
			t.Errorf("%v: %+v", err, v)
		}
	}
	if v := judge(sarama.ErrIncompleteResponse); !v.failed || v.group {
		t.Errorf("left out of the answer: %+v", v)
	}
}
