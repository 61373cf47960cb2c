// Command ottla looks at what a consumer has given up, and replays it.
//
//	ottla dlt list orders.dlt --class Handler --since 2h
//	ottla dlt show orders.dlt/3@17
//	ottla dlt replay orders.dlt --class Handler            # says what it would do
//	ottla dlt replay orders.dlt --class Handler --write
//
// It connects as the library does: by KAFKA_BROKER_ADDRESSES, KAFKA_TLS…, KAFKA_SASL…, see consumer.ConfigFromEnv, or by
// --brokers. It ends with status 0, with 1 after an error, and with 130 after an interrupt.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
		Name: "ottla", Usage: "dead letters of Ottla's consumers",
		Commands: []*cli.Command{x.deadLetters()},
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
		_, _ = fmt.Fprintln(stderr, err)
		return 1
	}
}
