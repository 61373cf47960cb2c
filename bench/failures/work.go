package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"time"
)

// order is what the records hold, and says how it fails. Pad makes it long.
type order struct {
	Fails string `json:"fails"`
	Pad   string `json:"pad,omitempty"`
}

var errFails = errors.New("it does not work")

// note is what a consumer's process tells the one that watches it: a line of JSON.
type note struct {
	What      string `json:"what"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Text      string `json:"text,omitempty"`
}

// What a note is about.
const (
	begun    = "begun"    // a record
	done     = "done"     // a record, with success
	failed   = "failed"   // a record, with Text
	reported = "reported" // something by the library, of its own accord
)

const contextEnded = "its context had ended" // when the handler returned

// work is the application: the same for each consumer. It is safe for concurrent use.
type work struct {
	mu    sync.Mutex
	out   *json.Encoder
	tries map[string]int
}

func newWork(out io.Writer) *work { return &work{out: json.NewEncoder(out), tries: map[string]int{}} }

// tell writes one line; a pipe that nobody reads any more is the watcher's end, and so this process's, too.
func (w *work) tell(n note) {
	w.mu.Lock()
	err := w.out.Encode(n)
	w.mu.Unlock()
	if err != nil {
		log.Fatal(err)
	}
}

func (w *work) report(text string) { w.tell(note{What: reported, Text: text}) }

// handle is all that a consumer does with one record.
func (w *work) handle(ctx context.Context, partition int32, offset int64, value []byte) error {
	o, err := w.decode(partition, offset, value)
	if err != nil {
		return err
	}
	return w.do(ctx, partition, offset, o)
}

func (w *work) decode(partition int32, offset int64, value []byte) (order, error) {
	w.tell(note{What: begun, Partition: partition, Offset: offset})
	var o order
	if err := json.Unmarshal(value, &o); err != nil {
		err = fmt.Errorf("no order: %w", err)
		w.tell(note{failed, partition, offset, err.Error()})
		return order{}, err
	}
	return o, nil
}

func (w *work) do(ctx context.Context, partition int32, offset int64, o order) error {
	if err := w.fail(partition, offset, o.Fails); err != nil {
		w.tell(note{failed, partition, offset, err.Error()})
		return err
	}
	n := note{What: done, Partition: partition, Offset: offset}
	if ctx.Err() != nil {
		n.Text = contextEnded
	}
	w.tell(n)
	return nil
}

// fail does what the order says.
func (w *work) fail(partition int32, offset int64, how string) error {
	w.mu.Lock()
	w.tries[fmt.Sprint(partition, offset)]++
	try := w.tries[fmt.Sprint(partition, offset)]
	w.mu.Unlock()
	switch {
	case how == "error", how == "twice" && try <= 2:
		return errFails
	case how == "panic":
		w.tell(note{failed, partition, offset, "panic"})
		panic("an order that nobody expected")
	case how == "hang":
		<-make(chan struct{}) // a call that never comes back, and does not heed its context
	case how == "slow" && try == 1:
		time.Sleep(1500 * time.Millisecond)
	}
	return nil
}
