package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const good = `{"fails":""}`

// value is that of the record that fails.
func (r run) value() string {
	how := map[int]string{poison: "error", twice: "twice", panics: "panic", hangs: "hang", backoff: "error", noDeadLetter: "error", evicted: "slow"}
	switch {
	case r.failure == undecodable:
		return "no JSON"
	case r.letters == tooSmall:
		return `{"fails":"error","pad":"` + strings.Repeat("x", 2000) + `"}`
	default:
		return fmt.Sprintf(`{"fails":%q}`, how[r.failure])
	}
}

// watcher lets one failure happen to one consumer.
type watcher struct {
	cluster
	task
	row
	first *process
}

// watch does a run, within 40 s.
func (c cluster) watch(ctx context.Context, r run, topic string) row {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	w := &watcher{cluster: c, row: row{run: r}, task: task{
		Brokers: c.addrs, Topic: topic, Group: topic + "-group", DLT: topic + ".dlt", Consumer: r.consumer,
	}}
	if err := w.do(ctx); err != nil {
		w.err = err
	}
	return w.row
}

func (w *watcher) do(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	var err error
	if w.first, err = start(ctx, w.task); err != nil {
		return err
	}
	defer w.first.kill()
	if !w.first.await(15*time.Second, func(notes []seen) bool { return has(notes, begun, failing, bad) && has(notes, begun, neighbour, 1) }) {
		if w.first.alive() {
			return errors.New("the consumer has not begun the records within 15 s")
		}
		// its failure, or one at the start
	}
	if w.failure == evicted {
		if err := w.evict(ctx, w.Group); err != nil {
			return err
		}
	}
	window := 3 * time.Second
	if w.letters == missing { // a producer takes its time to find out
		window = 14 * time.Second
	}
	if err := w.disturb(ctx, window); err != nil {
		return err
	}
	if !w.first.alive() {
		w.process = w.first.last()
		if w.failure == panics {
			if err := w.restart(ctx); err != nil {
				return err
			}
		}
	}
	if w.failure == hangs || w.failure == backoff {
		if err := w.join(ctx); err != nil {
			return err
		}
	}
	return w.sum(ctx)
}

// prepare makes the topics, with the record that fails between two good ones.
func (w *watcher) prepare(ctx context.Context) error {
	if err := w.create(ctx, w.Topic, nil); err != nil {
		return err
	}
	if w.letters != missing {
		configs := map[string]string{}
		if w.letters == tooSmall {
			configs["max.message.bytes"] = "1000"
		}
		if err := w.create(ctx, w.DLT, configs); err != nil {
			return err
		}
		for ctx.Err() == nil { // until all brokers know it: Ottla looks for it when it starts
			if _, partitions, err := w.cluster.count(ctx, w.DLT); partitions == 2 || err != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if _, err := w.send(ctx, w.Topic, failing, good, w.value(), good); err != nil {
		return err
	}
	second := good
	if w.failure == backoff { // whichever partition the other member is given, it is one in backoff
		second = w.value()
	}
	_, err := w.send(ctx, w.Topic, neighbour, good, second, good)
	return err
}

// disturb produces into the neighbour for a while, and sees how long its records wait.
func (w *watcher) disturb(ctx context.Context, window time.Duration) error {
	if w.failure == backoff {
		return nil // there both stand
	}
	w.disturbed = true
	written := map[int64]time.Time{}
	for end := time.Now().Add(window); time.Now().Before(end) && (w.letters != missing || w.first.alive()); time.Sleep(50 * time.Millisecond) {
		at := time.Now()
		offset, err := w.send(ctx, w.Topic, neighbour, good)
		if err != nil {
			return err
		}
		written[offset] = at
	}
	begun := func(notes []seen) map[int64]time.Time {
		first := map[int64]time.Time{}
		for _, n := range notes {
			if _, known := first[n.Offset]; !known && n.What == begun && n.Partition == neighbour {
				first[n.Offset] = n.at
			}
		}
		return first
	}
	all := func(notes []seen) bool {
		first := begun(notes)
		for offset := range written {
			if _, is := first[offset]; !is {
				return false
			}
		}
		return true
	}
	w.first.await(4*time.Second, all)
	first := begun(w.first.all())
	for offset, at := range written {
		if begin, is := first[offset]; is {
			w.wait = max(w.wait, begin.Sub(at))
		} else {
			w.waited++
			w.wait = max(w.wait, time.Since(at))
		}
	}
	return nil
}

// sum asks the broker, and counts.
func (w *watcher) sum(ctx context.Context) error {
	committed, err := w.committed(ctx, w.Group, w.Topic, failing)
	if err != nil {
		return err
	}
	written, partitions, err := w.cluster.count(ctx, w.DLT)
	if err != nil {
		return err
	}
	w.written = written
	if partitions > 0 && w.letters == missing {
		w.add("the brokers have made the topic for it: auto.create.topics.enable")
	}
	w.judge(w.row.count(w.first.all()), committed)
	if w.failure == evicted {
		ended, beside := overtaken(w.first.all())
		w.add("the handler's context ended before it returned: %v; the next delivery began before it returned: %v", ended, beside)
		w.add("committed in the end: %d", committed)
	}
	return nil
}

// overtaken says of the record that fails whether the context of its first delivery ended, and whether the next one began, while
// the first one was handled. That one is slow, and so is the last to return if they overlap.
func overtaken(notes []seen) (ended, beside bool) {
	open := 0
	for _, n := range notes {
		switch {
		case n.Partition != failing || n.Offset != bad:
		case n.What == begun:
			beside = beside || open > 0
			open++
		case n.What == done:
			ended = ended || n.Text == contextEnded
			open--
		}
	}
	return ended, beside
}

func (w *watcher) add(form string, args ...any) { w.more = append(w.more, fmt.Sprintf(form, args...)) }

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func has(notes []seen, what string, partition int32, offset int64) bool {
	for _, n := range notes {
		if n.What == what && n.Partition == partition && n.Offset == offset {
			return true
		}
	}
	return false
}

// firstBegun is when a first record was begun; zero: none was.
func firstBegun(notes []seen) time.Time {
	for _, n := range notes {
		if n.What == begun {
			return n.at
		}
	}
	return time.Time{}
}
