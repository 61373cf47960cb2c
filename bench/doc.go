// Command bench measures Ottla against its peers, both in one run:
//
//	go run -C bench . throughput -records 2000000 -size 100 -partitions 8
//
// throughput, the default, consumes one topic in turn with a bare sarama ConsumerGroup claim loop and with Ottla
// (no-op handler, CommitCoalesced), several times each, and compares the medians. The broker is kfake in a process
// of its own, or -brokers. The clock runs from the first record that a handler saw to the last one; CPU time and
// allocations are those of this process over the whole of a run. The last line is "ratio ottla/sarama=X".
//
// Machines are shared and noisy: compare within one run only.
package main
