// Package actors holds the machinery of one partition: the [Backlog], a pure ring that is at once the queue and
// the offset tracker; the [Mailbox], an actor.Mailbox made of it; the partition actor that [Props] spawns; and
// the [Budget] that bounds the memory of all partitions together.
//
// Package supervisor spawns and steers these; most users meet only what arrives in their actor's Receive, and [Ask].
//
// # The life of a record
//
//	source ──Deliver(batch)──▶ Backlog ──peek──▶ attempt (*messages.Record) ──▶ Receive or handler
//	                              ▲                                                  │
//	                              └── done: commit noted, then dequeued ◀── nil ─────┤
//	                              └── kept, attempt + 1 ◀── verdict ◀── supervisor ◀─┘ error, panic, Goexit, unanswered
//
// The head is peeked, handed over, its offset given to the committer, and only then dequeued. protoactor's own
// mailbox takes a message out before it is processed, so that a restart loses it (actor/mailbox.go); this one
// keeps it, and a Restart delivers the same head to the fresh incarnation.
//
// # Who goes first
//
// System messages outrank the lifecycle messages Assigned, Revoked and Lost, which outrank other messages to the
// actor, which outrank records. A hold and a park stop records; a suspension stops messages, too. Nothing stops
// Revoked and Lost but a record in flight and the verdict on it; a poison pill is turned into a system Stop, and
// waits for the record in flight only.
//
// # Non-obvious
//
//   - No user code runs under the mailbox's lock or in the supervisor's turn. The user's actor is made at Started, in
//     the partition's own goroutine. An error is user code, too: it is asked once, where it comes in, for its text, its
//     class and a seek, and one that panics at that is a panic of the code that answered it.
//   - After a Stop was handed over, a Restart is dropped: protoactor would resurrect the stopped actor,
//     unregistered, and let it process the rest of the backlog. So it is while the claim is being given up.
//   - protoactor resumes a mailbox after a failure without saying what is to become of the message. Here the
//     supervisor leaves a verdict first (Retry, Restart, Skip, Park). A resume that finds none gives the head up.
//   - One fault is asked about at a time. A second one (a child's Terminated panics while the actor waits for a
//     verdict, a kept record fails) waits until protoactor has resumed the actor after the first: a verdict, and a
//     Resume, name no fault, and would meet the wrong one.
//   - An Answer is looked at when it is received, not when it is sent: meanwhile the record may have been delivered anew, to
//     an actor with the same PID. A *Record is one attempt, so its pointer tells incarnations apart, and claims.
//   - runtime.Goexit in a handler kills the goroutine that runs the mailbox. The deferred recovery notices
//     (recover answers nil although the function did not return) and goes on in a new goroutine.
//   - A partition that is parked for long gives its memory back, but for the head, and the source goes back to what was
//     dropped (shed.go).
//   - The mailbox outlives incarnations, and even the actor: a partition actor that stopped itself is spawned
//     again on the same mailbox, and its backlog is still there.
package actors
