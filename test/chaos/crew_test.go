package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// childVariable tells the test's binary that it is a worker, and of which kind.
const childVariable = "OTTLA_CHAOS_CHILD"

func TestMain(m *testing.M) {
	if kind := os.Getenv(childVariable); kind != "" {
		os.Exit(child(kind))
	}
	os.Exit(m.Run())
}

// child says what a worker says, and ends at SIGTERM with status 0 (good) or 3 (bad), or does not (deaf); or at once
// (brief).
func child(kind string) int {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	fmt.Println("assigned partition=1 generation=2 at=3")
	fmt.Println("done partition=1 offset=0 key=k attempt=0")
	fmt.Fprintln(os.Stderr, "a line of the log")
	switch kind {
	case "brief":
		return 4
	case "deaf":
		for range told {
			continue
		}
	}
	<-told
	fmt.Println("revoked partition=1 at=4")
	if kind == "bad" {
		return 3
	}
	return 0
}

func TestTheEndOfAWorker(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		end   func(p *process) error
		how   ending
		err   string
		lines int
	}{
		{"good", func(p *process) error { return p.drain(time.Minute) }, drained, "", 3},
		{"bad", func(p *process) error { return p.drain(time.Minute) }, drained, "exit status 3", 3},
		{"good", func(p *process) error { p.kill(); return nil }, killed, "", 2},
		{"brief", func(p *process) error { <-p.over; return nil }, byItself, "exit status 4", 2},
		{"deaf", func(p *process) error {
			if err := p.drain(10 * time.Millisecond); !errors.Is(err, errNoEnd) {
				return fmt.Errorf("the drain answers %w", err)
			}
			return nil
		}, drained, "signal: killed", 2},
	} {
		t.Run(tt.kind+" "+tt.err, func(t *testing.T) {
			t.Setenv(childVariable, tt.kind)
			r, err := newRecorder(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			c, err := newCrew(r, os.Args[0], 1)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			if err := c.start(c.places[0]); err != nil {
				t.Fatal(err)
			}
			p := c.places[0].now
			<-p.spoke // else a kill may come before the first line
			if err := tt.end(p); err != nil {
				t.Fatal(err)
			}
			if p.alive() {
				t.Error("it is alive")
			}
			if got := r.history.workers; len(got) != 1 || got[0].id != 1 || got[0].how != tt.how || got[0].err != tt.err || got[0].end.IsZero() {
				t.Errorf("told of its end: %+v", got)
			}
			if got := r.history.lines; len(got) != tt.lines || got[1].what != done || got[1].worker != 1 || got[1].read.IsZero() {
				t.Errorf("its lines: %+v", got)
			}
		})
	}
}
