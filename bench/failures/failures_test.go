package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestMain is a consumer's process, too: a run starts this very program.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestOttla: each failure, as docs/failures.md tells it of Ottla, with consumers in processes of their own.
func TestOttla(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	var some []run
	for _, r := range runs() {
		if strings.HasPrefix(r.consumer, "ottla") {
			some = append(some, r)
		}
	}
	rows, err := watchAll(t.Context(), broker.ListenAddrs(), some, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		name := titles[r.failure] + ": " + r.consumer + " " + r.note
		for _, fault := range faults(r) {
			t.Errorf("%s: %s", name, fault)
		}
		if t.Failed() {
			t.Logf("%s:\n%v", name, r)
		}
	}
	if len(rows) < 12 {
		t.Errorf("only %d runs", len(rows))
	}
}

// faults are what differs from what is promised.
func faults(r row) (all []string) {
	say := func(wrong bool, text string) {
		if wrong {
			all = append(all, text)
		}
	}
	if r.err != nil {
		return []string{r.err.Error()}
	}
	say(r.lost || r.passed, "the record was passed over")
	say(r.overlap > 0, "two members had the record at a time")
	say(r.reports == 0, "nothing was reported")
	if r.letters == missing {
		say(r.process == "" || r.tries > 0, "it began without its topic for dead letters")
		return all
	}
	say(r.process != "", "the process ended")
	say(r.waited > 0 || r.again > 0 && r.failure != evicted && r.failure != backoff, "the neighbour did not go on as ever")
	tries, letters := 1, int64(0) // in the backoff a second one is the retry, if the partition has stayed
	switch {
	case r.failure == twice:
		tries = 3
	case r.failure == undecodable && r.consumer == ottlaSet:
		letters = 1
	case r.failure == noDeadLetter:
		tries = 4
	case r.failure == evicted:
		tries = 2
	case r.consumer == ottlaSet && r.failure != hangs:
		tries, letters = 4, 1
	}
	say(r.tries != tries && (r.failure != backoff || r.tries != 2), "it was not handled as often as it should be")
	say(r.written != letters, "there are other dead letters than there should be")
	if r.failure == hangs || r.failure == backoff {
		say(r.takeover == 0 || r.takeover > rebalanceTimeout+6*time.Second, "the second member got nothing in time")
		say(r.stopped == 0, "it did not stop when it was asked to")
	}
	say(r.failure == twice && r.fate != "succeeded", "it did not succeed")
	return all
}

// TestFaultsAreSeen: what is promised of Ottla is not true of everything.
func TestFaultsAreSeen(t *testing.T) {
	good := row{run: run{failure: twice, consumer: ottlaSet}, tries: 3, fate: "succeeded", reports: 2}
	if all := faults(good); len(all) > 0 {
		t.Fatal(all)
	}
	for want, change := range map[string]func(*row){
		"the record was passed over":                        func(r *row) { r.lost = true },
		"two members had the record at a time":              func(r *row) { r.overlap = 1 },
		"nothing was reported":                              func(r *row) { r.reports = 0 },
		"the process ended":                                 func(r *row) { r.process = "exit status 2" },
		"the neighbour did not go on as ever":               func(r *row) { r.waited = 1 },
		"it was not handled as often as it should be":       func(r *row) { r.tries = 2 },
		"there are other dead letters than there should be": func(r *row) { r.written = 1 },
		"it did not succeed":                                func(r *row) { r.fate = "" },
	} {
		r := good
		if change(&r); len(faults(r)) != 1 || faults(r)[0] != want {
			t.Errorf("%v, want %s", faults(r), want)
		}
	}
}
