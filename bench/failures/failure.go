package main

// The eight failures, by the number under which they stand in the table.
const (
	poison = iota + 1
	twice
	panics
	undecodable
	hangs
	backoff
	noDeadLetter
	evicted
)

var titles = map[int]string{
	poison:       "the handler always answers with an error",
	twice:        "an error twice, then success",
	panics:       "the handler panics, always",
	undecodable:  "the value cannot be decoded",
	hangs:        "the handler never returns, then a second member joins, then the first one is stopped",
	backoff:      "a second member joins in the middle of a backoff of 8 s",
	noDeadLetter: "the dead letter cannot be written",
	evicted:      "the group removes the member while the handler works: its commit is refused",
}

// The consumers, as they can be written.
const (
	saramaReturn    = "sarama, return err"
	saramaLog       = "sarama, log and go on"
	saramaLoop      = "sarama, retry in the handler"
	saramaErrors    = "sarama, return err, Return.Errors"
	saramaCommit    = "sarama, session.Commit()"
	watermillPlain  = "watermill, no middleware"
	watermillDecode = "watermill, own Unmarshaler"
	watermillSet    = "watermill, PoisonQueue, Retry, Recoverer"
	watermillRetry  = "watermill, Retry 8 s"
	ottlaPlain      = "ottla, default policy"
	ottlaSet        = "ottla, Retry, DeadLetter"
	ottlaRetry      = "ottla, Retry 8 s"
)

// run is one consumer and one failure.
type run struct {
	failure  int
	consumer string
	note     string // what of the failure, where there is more than one kind
	letters  letters
}

// letters says what is with the dead-letter topic.
type letters int

const (
	writable letters = iota
	tooSmall         // it refuses the letter as too large
	missing          // there is none
)

// runs are all of them, in the order of the table.
func runs() (all []run) {
	for failure, consumers := range [][]string{
		poison:       {saramaReturn, saramaErrors, saramaLog, watermillPlain, watermillSet, ottlaPlain, ottlaSet},
		twice:        {saramaReturn, saramaLog, watermillPlain, watermillSet, ottlaSet},
		panics:       {saramaReturn, watermillPlain, watermillSet, ottlaPlain, ottlaSet},
		undecodable:  {saramaReturn, saramaLog, watermillDecode, watermillSet, ottlaPlain, ottlaSet},
		hangs:        {saramaReturn, watermillSet, ottlaSet},
		backoff:      {saramaLoop, watermillRetry, ottlaRetry},
		noDeadLetter: {watermillSet, ottlaSet},
		evicted:      {saramaReturn, saramaErrors, saramaCommit, watermillSet, ottlaSet},
	} {
		for _, c := range consumers {
			if failure != noDeadLetter {
				all = append(all, run{failure: failure, consumer: c})
				continue
			}
			all = append(all, run{failure, c, "too large for it", tooSmall}, run{failure, c, "there is no such topic", missing})
		}
	}
	return all
}
