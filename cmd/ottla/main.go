// Command ottla looks at running consumers and tells them what to do, and lists and replays what they have given up.
//
//	ottla status --url http://127.0.0.1:8080/ottla
//	ottla retry-head orders/3@1042         # also skip-head, dead-letter-head --to TOPIC, park --reason TEXT
//	ottla pause orders                     # and resume; orders/3,7 are two of its partitions
//
//	ottla dlt list orders.dlt --class Handler --since 2h
//	ottla dlt show orders.dlt/3@17
//	ottla dlt replay orders.dlt --class Handler            # says what it would do
//	ottla dlt replay orders.dlt --class Handler --write
//
// It connects as the library does: by KAFKA_BROKER_ADDRESSES, KAFKA_TLS…, KAFKA_SASL…, see consumer.ConfigFromEnv, or by
// --brokers. Running consumers it asks over HTTP, where they serve consumer.HTTP: --url or OTTLA_URL, once for each member of
// the group, and --user or OTTLA_USER for who asks. It ends with status 0, with 1 after an error, and with 130 after an interrupt.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	status := run(ctx, os.Args, os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// tool is what the commands work with.
type tool struct {
	getenv   func(string) string
	out, err io.Writer
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (status int) {
	x := &tool{getenv, stdout, stderr}
	root := &cli.Command{
		Name: "ottla", Usage: "Ottla's consumers, and what they have given up",
		Commands: append(x.operating(), x.deadLetters()),
		Writer:   stdout, ErrWriter: stderr,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // it would end the process
	}
	err := root.Run(ctx, args)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		_, _ = fmt.Fprintln(stderr, "ottla: interrupted")
		return 130
	default:
		for line := range strings.SplitSeq(err.Error(), "\n") { // it may quote what a stranger wrote
			_, _ = fmt.Fprintln(stderr, printable(line))
		}
		return 1
	}
}
