// Package committer keeps the offsets of claims: it finds where a claim begins, and commits how far it has come. It
// fills supervisor.Committer, with Kafka's committed offsets or with a user's offset store.
//
// # A commit belongs to a claim
//
// A broker compares member and generation and never asks who owns a partition. So an offset is sent only for a claim
// that is open and not lost, under the identity that was read before it was seen to be so, and a refused request is
// built anew, never sent again; the comments on send and Fencing walk through what would happen else. What a closed
// claim has not committed is dropped, with an event, and never handed to a later claim of the same partition.
//
// # The path of a note
//
//	Commit(note) ──▶ claim: the newest note, under the claim's own lock
//	                   │ only when it becomes dirty, or urgent
//	                   ▼
//	                 loop: pending decides which claims go into the next request, and when
//	                   │ one request in flight, for all partitions
//	                   ▼
//	                 answer: a verdict for each partition ──▶ acknowledged: done(nil), Inbox.Committed
//	                                                      └─▶ refused: pause, Inbox.CommitFailed, once more
//
// Two requests are at least Interval apart, unless something is urgent: a backlog that ran empty, a record whose
// successor waits for the commit, a flush. What is noted while a request is in flight goes with the next one, so the
// round trip coalesces as well: a replicated commit takes about 11 ms.
//
// What is sent is always what Commit said last. Position and metadata are dirty together: a failure says the same
// position with one attempt more. A position goes back only when the claim sought backwards and said so.
//
// There is no last try. An offset is tried until it is acknowledged, a newer one has taken its place, or its claim is
// closed. What waits for it at the claim's end does so for the time that it has, unless the partition was deleted. A cause that concerns the group (a rebalance, a coordinator that is away) holds everything back, until the
// identity changes or the pause is over; a cause of one partition's holds back that one.
//
// # Files
//
// claim.go and notes.go are what Commit, Flush and Close touch; fence.go closes the gap between a loss and Close; core.go,
// pending.go, pace.go, verdict.go and report.go decide, without clock and I/O, and are simulated step by step; loop.go,
// send.go and read.go are the goroutine that talks to the coordinator; describe.go is what goes beside an offset; start.go, beyond.go and ranges.go find where a claim begins;
// gone.go and looks.go find that its partition does not exist any more.
//
// Locks: a claim's and the committer's are never held together, nor across a call to anybody else.
package committer
