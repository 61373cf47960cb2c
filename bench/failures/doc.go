// Command failures lets eight failures happen to sarama's consumer group, to Watermill and to Ottla, and prints what was seen:
//
//	go run -C bench ./failures
//	go run -C bench ./failures -brokers 127.0.0.1:9092 -only 3/
//
// Nothing of what it prints is known beforehand. Each run is a consumer in a process of its own (some failures end it), on a
// topic with two partitions: in the first one stands a record that fails, with a good one before and one behind it; into the
// second one, the neighbour, good records are produced all the time. The consumer tells when it begins a record and
// how it ends; the rest is asked of the broker: what is committed, and what is in the dead-letter topic. The broker is kfake in
// this process, or -brokers.
//
// The consumers are written as their own documentation writes them. sarama: as examples/consumergroup, which has nothing to say
// about errors; so it is run both with "return err" and with "log it and go on", and where it matters with
// Consumer.Return.Errors and session.Commit. Watermill: without middlewares, and with those of its router example, Retry and
// Recoverer, and PoisonQueue before them. Ottla: with its default policy, and with one that does the same as those
// middlewares. All have the same times: heartbeats each second, a rebalance timeout of 6 s, a session timeout of 15 s, 3 s to
// stop in where there is such a bound; Ottla's StuckAfter is 1 s. All else is each one's default.
package main
