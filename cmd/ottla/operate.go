package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/messages"
)

// memberFlags say where the members of a group are, and who asks.
func memberFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "url", Usage: "where a member serves consumer.HTTP, as http://127.0.0.1:8080/ottla; one for each member; default: $OTTLA_URL, with commas"},
		&cli.StringFlag{Name: "user", Usage: "NAME:PASSWORD, for basic authentication; default: $OTTLA_USER"},
	}, more...)
}

// operating are the commands that a running consumer is asked by.
func (x *tool) operating() []*cli.Command {
	head := func(name, usage, command string, more ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: "TOPIC/PARTITION@OFFSET", Flags: memberFlags(more...),
			Action: func(ctx context.Context, cmd *cli.Command) error { return x.onHead(ctx, cmd, command) },
		}
	}
	topic := func(name, usage, command string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: "TOPIC[/PARTITION,…]", Flags: memberFlags(),
			Action: func(ctx context.Context, cmd *cli.Command) error { return x.onTopic(ctx, cmd, command) },
		}
	}
	return []*cli.Command{
		{
			Name: "status", Usage: "where each partition of the members stands", Action: x.status,
			Flags: memberFlags(&cli.BoolFlag{Name: "waiting", Usage: "only what waits for somebody or something"}),
		},
		head("retry-head", "deliver the head now: ends its hold or park", "RetryHead"),
		head("skip-head", "give the head up", "SkipHead"),
		head("dead-letter-head", "write the head to another topic, and give it up", "DeadLetterHead",
			&cli.StringFlag{Name: "to", Usage: "that topic", Required: true}),
		head("park", "keep the head from its handler", "ParkHead", &cli.StringFlag{Name: "reason", Usage: "for those who read the status"}),
		topic("pause", "stop the delivery, on each member", "Pause"),
		topic("resume", "end a pause, on each member", "Resume"),
	}
}

// onHead gives a command to the member that owns the partition.
func (x *tool) onHead(ctx context.Context, cmd *cli.Command, command string) error {
	arg, err := argument(cmd)
	if err != nil {
		return err
	}
	at, err := deadletters.ParsePlace(arg)
	if err != nil {
		return err
	}
	members, err := x.members(cmd)
	if err != nil {
		return err
	}
	var silent []error
	for _, m := range members {
		s, err := m.status(ctx)
		if err != nil {
			silent = append(silent, err)
			continue
		}
		for _, p := range s.Partitions {
			if p.Claim.Topic != at.Topic || p.Claim.Partition != at.Partition {
				continue
			}
			body := map[string]any{"topic": at.Topic, "partition": at.Partition, "offset": at.Offset}
			for _, name := range []string{"to", "reason"} {
				if v := cmd.String(name); v != "" {
					body[name] = v
				}
			}
			a, err := m.do(ctx, command, body)
			if err != nil {
				return err
			}
			return x.sayf("%s: done by %s, as %s: the head of %s/%d is %d, %s\n", command, m.url, printable(a.By), printable(at.Topic), at.Partition, a.Head, printable(a.State))
		}
	}
	return errors.Join(append([]error{fmt.Errorf("ottla: none of the %d members that were asked owns %s/%d", len(members)-len(silent), at.Topic, at.Partition)}, silent...)...)
}

// onTopic gives a command to each member: what one of them does not own, it may own later.
func (x *tool) onTopic(ctx context.Context, cmd *cli.Command, command string) error {
	arg, err := argument(cmd)
	if err != nil {
		return err
	}
	topic, partitions, err := parseTopic(arg)
	if err != nil {
		return err
	}
	members, err := x.members(cmd)
	if err != nil {
		return err
	}
	body := map[string]any{"topic": topic}
	if partitions != nil {
		body["partitions"] = partitions
	}
	var failed []error
	for _, m := range members {
		a, err := m.do(ctx, command, body)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		var line strings.Builder
		fmt.Fprintf(&line, "%s: done by %s, as %s", command, m.url, printable(a.By))
		for _, p := range a.Partitions {
			fmt.Fprintf(&line, " %d:%s", p.Partition, printable(p.State))
		}
		if err := x.sayf("%s\n", line.String()); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// parseTopic reads a topic, or some of its partitions: orders, orders/3, orders/3,7.
func parseTopic(s string) (topic string, partitions []int32, err error) {
	topic, list, some := strings.Cut(s, "/")
	if some {
		for part := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 31)
			if err != nil {
				return "", nil, fmt.Errorf("ottla: %q: want a topic, or some of its partitions as orders/3,7", s)
			}
			partitions = append(partitions, int32(n))
		}
	}
	if topic == "" {
		return "", nil, fmt.Errorf("ottla: %q names no topic", s)
	}
	return topic, partitions, nil
}

// status is the command status.
func (x *tool) status(ctx context.Context, cmd *cli.Command) error {
	members, err := x.members(cmd)
	if err != nil {
		return err
	}
	var silent []error
	for _, m := range members {
		s, err := m.status(ctx)
		if err != nil {
			silent = append(silent, err)
			continue
		}
		if err := x.member(m.url, s, cmd.Bool("waiting")); err != nil {
			return err
		}
	}
	return errors.Join(silent...)
}

// member writes one member's status.
func (x *tool) member(url string, s *messages.Status, waiting bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: group %s, member %s, generation %d, %s\n", url, printable(s.Group), printable(s.Member), s.Generation, s.Phase)
	if s.Breaker != "" {
		fmt.Fprintf(&b, "  the breaker is %s\n", printable(s.Breaker))
	}
	for _, p := range s.Pauses {
		which := "all"
		if p.Partition >= 0 {
			which = strconv.Itoa(int(p.Partition))
		}
		fmt.Fprintf(&b, "  paused: %s/%s by %s since %s\n", printable(p.Topic), which, printable(p.By), stamp(p.Since))
	}
	for _, p := range s.Partitions {
		if waiting && (p.State == messages.StateIdle || p.State == messages.StateBusy) {
			continue
		}
		fmt.Fprintf(&b, "  %s/%d@%d  %s  lag=%d attempt=%d", printable(p.Claim.Topic), p.Claim.Partition, p.Head, p.State, p.Lag, p.Attempt)
		if !p.NextRetry.IsZero() {
			fmt.Fprintf(&b, " until=%s", stamp(p.NextRetry))
		}
		for _, text := range []string{p.Reason, p.Error} {
			if text != "" {
				fmt.Fprintf(&b, "  %s", printable(text))
			}
		}
		b.WriteByte('\n')
	}
	return x.sayf("%s", b.String())
}

func (x *tool) sayf(format string, args ...any) error {
	_, err := fmt.Fprintf(x.out, format, args...)
	return err
}
