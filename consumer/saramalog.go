package consumer

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// sarama logs through a global variable, which by default throws everything away. It is set when this package is
// initialised, before anybody can read it in another goroutine; an application that sets its own later, wins.
func init() { sarama.Logger = &saramaLines } //nolint:gochecknoinits // the only time at which nobody reads it

var saramaLines saramaLog

// saramaLog passes sarama's lines to the logger of the consumer that was made last, at Debug: they are about
// connections, and never hold contents of records.
type saramaLog struct{ to atomic.Pointer[slog.Logger] }

func (l *saramaLog) line(text string) {
	if to := l.to.Load(); to != nil {
		to.Debug(strings.TrimSpace(text), slog.String("from", "sarama"))
	}
}

// Print is sarama's.
func (l *saramaLog) Print(v ...any) { l.line(fmt.Sprint(v...)) }

// Printf is sarama's.
func (l *saramaLog) Printf(format string, v ...any) { l.line(fmt.Sprintf(format, v...)) }

// Println is sarama's.
func (l *saramaLog) Println(v ...any) { l.line(fmt.Sprintln(v...)) }
