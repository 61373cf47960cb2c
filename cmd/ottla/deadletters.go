package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/deadletters"
)

// deadLetters is the command dlt.
func (x *tool) deadLetters() *cli.Command {
	return &cli.Command{
		Name: "dlt", Usage: "list, show and replay the dead letters of a topic",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "brokers", Usage: "host:port,host:port; default: $KAFKA_BROKER_ADDRESSES"},
		},
		Commands: []*cli.Command{
			{
				Name: "list", Usage: "one line for each letter", ArgsUsage: "TOPIC", Action: x.list,
				Flags: append(filterFlags(), &cli.BoolFlag{Name: "json", Usage: "as JSON, one object in a line; keys and values are left out"}),
			},
			{
				Name: "show", Usage: "all of one letter, its contents too", ArgsUsage: "TOPIC/PARTITION@OFFSET", Action: x.show,
				Flags: []cli.Flag{&cli.BoolFlag{Name: "value", Usage: "only the value, byte for byte"}},
			},
			{
				Name: "replay", Usage: "write the records to where they came from; without --write it only counts", ArgsUsage: "TOPIC", Action: x.replay,
				Flags: append(filterFlags(),
					&cli.BoolFlag{Name: "write", Usage: "do it"},
					&cli.StringFlag{Name: "to", Usage: "the topic to write to, in the place of the one that each came from"}),
			},
		},
	}
}

func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "topic", Usage: "only letters of records that came from this topic"},
		&cli.StringFlag{Name: "group", Usage: "only those that this consumer group gave up"},
		&cli.StringFlag{Name: "class", Usage: "only failures of this class: Handler, Panic, Decode, …"},
		&cli.StringFlag{Name: "rule", Usage: "only those of this rule"},
		&cli.StringFlag{Name: "error", Usage: "only errors with this text in them"},
		&cli.StringFlag{Name: "key", Usage: "only records with this key"},
		&cli.StringFlag{Name: "request-id", Usage: "only the record with this request id"},
		&cli.StringFlag{Name: "since", Usage: "only letters written since: 2h, or 2026-01-31T12:00:00Z"},
		&cli.StringFlag{Name: "until", Usage: "only letters written before"},
		&cli.StringFlag{Name: "at", Usage: "only this letter: TOPIC/PARTITION@OFFSET, its own place"},
		&cli.StringSliceFlag{Name: "except", Usage: "not this letter; may be given more than once"},
		&cli.IntFlag{Name: "limit", Usage: "not more than so many; 0: all"},
	}
}

// filter reads the flags.
func filter(cmd *cli.Command, now time.Time) (f deadletters.Filter, err error) {
	f = deadletters.Filter{
		Topic: cmd.String("topic"), Group: cmd.String("group"), Class: cmd.String("class"), Rule: cmd.String("rule"),
		Error: cmd.String("error"), Key: cmd.String("key"), RequestID: cmd.String("request-id"), Limit: cmd.Int("limit"),
	}
	var since, until error
	f.Since, since = moment("since", cmd.String("since"), now)
	f.Until, until = moment("until", cmd.String("until"), now)
	if f.Limit < 0 {
		err = fmt.Errorf("ottla: --limit %d: it must be 0, for all, or more", f.Limit)
	}
	faults := []error{since, until, err}
	place := func(flag, s string) (p deadletters.Place) {
		p, err := deadletters.ParsePlace(s)
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", flag, err))
		}
		return p
	}
	if s := cmd.String("at"); s != "" {
		f.At = place("at", s)
	}
	for _, s := range cmd.StringSlice("except") {
		f.Except = append(f.Except, place("except", s))
	}
	return f, errors.Join(faults...)
}

// moment is a time, or how long ago it was.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("ottla: --%s %q: give how long ago, as 2h or 30m, or a time as 2026-01-31T12:00:00Z", flag, s)
	}
	return at, nil
}

// client connects as the environment and the flags say.
func (x *tool) client(cmd *cli.Command) (*deadletters.Client, error) {
	c, err := consumer.ConfigFromEnv(x.getenv)
	if err != nil {
		return nil, err
	}
	if list := cmd.String("brokers"); list != "" {
		c.Brokers = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(c.Brokers) == 0 {
		return nil, errors.New("ottla: no broker is known: set KAFKA_BROKER_ADDRESSES or give --brokers host:port")
	}
	c.Logger = slog.New(slog.NewTextHandler(x.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return deadletters.Open(c)
}

// argument is the only one of a command.
func argument(cmd *cli.Command) (string, error) {
	if cmd.Args().Len() != 1 || cmd.Args().First() == "" {
		return "", fmt.Errorf("ottla: %s wants one argument, %s, after the flags or before them, and got %q", cmd.FullName(), cmd.ArgsUsage, cmd.Args().Slice())
	}
	return cmd.Args().First(), nil
}

// chosen does something with the letters of the topic that the filter's flags choose.
func (x *tool) chosen(cmd *cli.Command, do func(c *deadletters.Client, topic string, f deadletters.Filter) error) error {
	topic, err := argument(cmd)
	if err != nil {
		return err
	}
	f, err := filter(cmd, time.Now())
	if err != nil {
		return err
	}
	c, err := x.client(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c, topic, f)
}

// list is the command dlt list.
func (x *tool) list(ctx context.Context, cmd *cli.Command) error {
	write := x.line
	if cmd.Bool("json") {
		write = x.object
	}
	return x.chosen(cmd, func(c *deadletters.Client, topic string, f deadletters.Filter) error {
		return c.Read(ctx, topic, f, write)
	})
}

// show is the command dlt show.
func (x *tool) show(ctx context.Context, cmd *cli.Command) error {
	arg, err := argument(cmd)
	if err != nil {
		return err
	}
	at, err := deadletters.ParsePlace(arg)
	if err != nil {
		return err
	}
	c, err := x.client(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	found := false
	if err := c.Read(ctx, at.Topic, deadletters.Filter{At: at}, func(l *deadletters.Letter) error {
		found = true
		if cmd.Bool("value") {
			_, err := x.out.Write(l.Record.Value)
			return err
		}
		return x.whole(l)
	}); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("ottla: there is no dead letter at %v", at)
	}
	return nil
}

// replay is the command dlt replay.
func (x *tool) replay(ctx context.Context, cmd *cli.Command) error {
	return x.chosen(cmd, func(c *deadletters.Client, topic string, f deadletters.Filter) error {
		bar := newBar(x.err)
		report, err := c.Replay(ctx, topic, deadletters.Replay{Filter: f, To: cmd.String("to"), Write: cmd.Bool("write"), Progress: bar.show})
		bar.end()
		said := x.report(report, cmd.Bool("write"))
		if err != nil && cmd.Bool("write") {
			return fmt.Errorf("%w\nwhat is reported above was written; run the same command again for the others", err)
		}
		return errors.Join(err, said)
	})
}
