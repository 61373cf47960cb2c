package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// childEnv holds, in a consumer's process, what it is to do.
const childEnv = "OTTLA_FAILURES_CONSUMER"

// The times that all consumers have in common.
const (
	heartbeat        = time.Second
	sessionTimeout   = 15 * time.Second
	rebalanceTimeout = 6 * time.Second
	stopTimeout      = 3 * time.Second
	longBackoff      = 8 * time.Second
)

// task is one consumer's.
type task struct {
	Brokers  []string
	Topic    string
	Group    string
	DLT      string
	Consumer string
}

// consume is the life of a consumer's process: until its standard input says so, or ends. What the consumer
// ended with is its error.
func consume(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		in := bufio.NewScanner(os.Stdin)
		if !in.Scan() {
			os.Exit(3) // the watcher is gone
		}
		cancel()
	}()
	w := newWork(os.Stdout)
	switch t.Consumer {
	case saramaReturn, saramaErrors, saramaLog, saramaLoop, saramaCommit:
		return withSarama(ctx, t, w)
	case watermillPlain, watermillDecode, watermillSet, watermillRetry:
		return withWatermill(ctx, t, w)
	case ottlaPlain, ottlaSet, ottlaRetry:
		return withOttla(ctx, t, w)
	}
	return fmt.Errorf("there is no consumer %q", t.Consumer)
}
