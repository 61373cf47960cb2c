package consumer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// Validate reports everything that is wrong, joined into one error: each fault names the field, its value and
// the remedy. It reads the files of TLS and calls the Sarama function, and connects to nothing. Whether a topic
// exists, or a broker accepts the session timeout, is known only later.
func (c Config) Validate() error {
	f := &faults{}
	f.brokers(c.Brokers)
	f.group(c.Group)
	f.topics(c)
	f.handlers(c)
	f.policies(c)
	full := c.WithDefaults()
	f.limits(full)
	f.choices(full)
	f.rates(c)
	f.offsets(c)
	f.commit(c)
	if c.InstanceID != "" && !legalName(c.InstanceID) {
		f.add("InstanceID", strconv.Quote(c.InstanceID), "Kafka refuses it", "use 1 to 249 letters, digits, dots, dashes and underscores")
	}
	_, dial := c.saramaConfig()
	f.list = append(f.list, dial...)
	return errors.Join(f.list...)
}

// faults collects what is wrong.
type faults struct{ list []error }

func (f *faults) add(field, value, problem, remedy string) {
	f.list = append(f.list, fault(field, value, problem, remedy))
}

// fault is the one form of a fault's text.
func fault(field, value, problem, remedy string) error {
	return fmt.Errorf("ottla: Config.%s = %s: %s: %s", field, value, problem, remedy)
}

// limit is the range of one number. Both bounds are allowed.
type limit struct {
	field    string
	value    int64
	min, max int64
	text     func(int64) string
	remedy   string
}

const forever = math.MaxInt64

// limits checks full, which has its defaults.
func (f *faults) limits(full Config) {
	const (
		milli = int64(time.Millisecond)
		// whole is said of times that go to the broker, which counts in milliseconds.
		whole = "use 1ms or more, or 0 for the default"
		some  = "use 1 or more, or 0 for the default"
	)
	table := []limit{
		{"Backlog.Records", int64(full.Backlog.Records), 1, math.MaxInt32, number, some},
		{"Backlog.Bytes", int64(full.Backlog.Bytes), 1, forever, number, some},
		{"Backlog.TotalBytes", int64(full.Backlog.TotalBytes), 1, forever, number, some},
		{"Backlog.ShedAfter", int64(full.Backlog.ShedAfter), 1, forever, duration, "use a positive time, a very long one for never, or 0 for the default"},
		{"Fetch.MaxWait", int64(full.Fetch.MaxWait), milli, int64(30 * time.Second), duration, "use 1ms to 30s, or 0 for the default"},
		{"Fetch.PartitionBytes", int64(full.Fetch.PartitionBytes), 1, int64(sarama.MaxResponseSize) / 2, number, "use 1 byte to 50 MiB, or 0 for the default"},
		// sarama refuses answers above MaxResponseSize, and one batch may come on top of what was asked for.
		{"Fetch.MaxBytes", int64(full.Fetch.MaxBytes), 1, int64(sarama.MaxResponseSize) / 2, number, "use 1 byte to 50 MiB, or 0 for the default"},
		{"Fetch.Connections", int64(full.Fetch.Connections), 1, 8, number, "use 1 to 8, or 0 for the default"},
		{"Commit.Interval", int64(full.Commit.Interval), 1, forever, duration, "use 1ns for none, or 0 for the default"},
		{"HandlerTimeout", int64(full.HandlerTimeout), 0, forever, duration, "use a positive time, or 0 for none"},
		{"StuckAfter", int64(full.StuckAfter), 1, forever, duration, "use a positive time, a very long one for never, or 0 for the default"},
		{"DrainTimeout", int64(full.DrainTimeout), 1, forever, duration, "use a positive time, or 0 for the default"},
		{"SessionTimeout", int64(full.SessionTimeout), milli, math.MaxInt32 * milli, duration, whole},
		{"RebalanceTimeout", int64(full.RebalanceTimeout), milli, math.MaxInt32 * milli, duration, whole},
		{"HeartbeatInterval", int64(full.HeartbeatInterval), milli, forever, duration, whole},
	}
	for _, l := range append(table, full.times()...) {
		switch {
		case l.value < l.min:
			f.add(l.field, l.text(l.value), "it is below "+l.text(l.min), l.remedy)
		case l.value > l.max:
			f.add(l.field, l.text(l.value), "it is above "+l.text(l.max), l.remedy)
		}
	}
	f.order("Backlog.TotalBytes", full.Backlog.TotalBytes, "Backlog.Bytes", full.Backlog.Bytes, "one partition could not fill its bound")
	f.order("Fetch.MaxBytes", full.Fetch.MaxBytes, "Fetch.PartitionBytes", full.Fetch.PartitionBytes, "one partition asks for more than a whole request")
	if h, s := full.HeartbeatInterval, full.SessionTimeout; h > s/2 && h > 0 && s > 0 {
		f.add("HeartbeatInterval", h.String(), "it is above half of SessionTimeout, which is "+s.String()+", so that one lost heartbeat ends the membership",
			"lower it, to a third of SessionTimeout or less, or raise SessionTimeout")
	}
	if h, r := full.HeartbeatInterval, full.RebalanceTimeout; r/3 < h && h > 0 && r > 0 {
		f.add("RebalanceTimeout", r.String(), "it is below three times HeartbeatInterval, which is "+h.String()+": members learn of a rebalance by a heartbeat, and would come too late and lose everything each time",
			"raise it (in the environment KAFKA_MAX_POLL_INTERVAL_MS), or lower HeartbeatInterval")
	}
}

// order wants large ≥ small; either may be a default.
func (f *faults) order(largeField string, large int, smallField string, small int, problem string) {
	if large < small && large > 0 {
		f.add(largeField, strconv.Itoa(large), fmt.Sprintf("it is below %s, which is %d: %s", smallField, small, problem),
			"raise it, or lower "+smallField)
	}
}

func number(n int64) string   { return strconv.FormatInt(n, 10) }
func duration(n int64) string { return time.Duration(n).String() }

// choices checks what is one of a list.
func (f *faults) choices(full Config) {
	if full.Isolation > ReadUncommitted {
		f.add("Isolation", full.Isolation.String(), "it is not known", "use ReadCommitted or ReadUncommitted")
	}
	if full.Commit.Mode > CommitEach {
		f.add("Commit.Mode", full.Commit.Mode.String(), "it is not known", "use CommitCoalesced or CommitEach")
	}
	for _, choice := range []struct {
		field string
		value Choice
	}{{"Offsets.Start", full.Offsets.Start}, {"Offsets.OutOfRange", full.Offsets.OutOfRange}} {
		if !choice.value.Valid() {
			f.add(choice.field, choice.value.String(), "it is not known", "use Earliest, Latest, At(time) or Fail")
		}
	}
	for i, b := range full.Balance {
		field := fmt.Sprintf("Balance[%d]", i)
		switch {
		case !b.Valid():
			f.add(field, b.String(), "it is not known", "use CooperativeSticky, Range, RoundRobin or Sticky")
		case slices.Contains(full.Balance[:i], b):
			f.add(field, b.String(), "it is listed before", "remove one of both")
		}
	}
}

// offsets checks c as it was given: what was left zero counts.
func (f *faults) offsets(c Config) {
	switch {
	case c.Offsets.Store == nil:
		if c.Offsets.AlsoToKafka {
			f.add("Offsets.AlsoToKafka", "true", "without Offsets.Store it has no effect", "remove it, or set Offsets.Store")
		}
		return
	case c.Offsets.Start == 0:
		f.add("Offsets.Start", "unset", fmt.Sprintf("with Offsets.Store (%T) nobody else knows where a partition begins that the store does not know", c.Offsets.Store),
			"choose Earliest, Latest, At(time) or Fail")
	}
}

// commit checks c as it was given, too.
func (f *faults) commit(c Config) {
	switch {
	case c.Offsets.Store != nil && !c.Offsets.AlsoToKafka:
		if c.Commit != (Commit{}) {
			f.add("Commit", fmt.Sprintf("{%v %v}", c.Commit.Mode, c.Commit.Interval), "with Offsets.Store nothing is committed to Kafka, so it has no effect",
				"remove it, or set Offsets.AlsoToKafka")
		}
	case c.Commit.Mode == CommitEach && c.Commit.Interval > 0:
		f.add("Commit.Interval", c.Commit.Interval.String(), "with CommitEach every record is committed at once, so it has no effect",
			"remove it, or set Commit.Mode to CommitCoalesced")
	}
}
