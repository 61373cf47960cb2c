// Package supervisor decides what a failing record means and owns the whole life of every claim: assign, revoke,
// lost, failure, park, stop.
//
// [Policy] is the table that users write. [Props] is the supervisor actor, which package consumer spawns: it
// spawns one partition actor for each claim and stands between three seams, [Membership], [Source] and
// [Committer], that package consumer fills with Kafka and package consumertest with a script.
//
// # The life of a claim
//
//	Assigned ─▶ spawn ─▶ Start (offset, metadata, range) ─▶ Open: records flow ─▶ Revoked / Lost / Drain
//	                                                                               │
//	     ┌─────────────────────────────────────────────────────────────────────────┘
//	     ▼
//	source closed, mailbox takes no more ─▶ in flight finishes ─▶ actor stops ─▶ flush ─▶ commits closed ─▶ Released
//	     │                                                                        ▲
//	     └─ deadline: contexts end with ErrRevoked ─▶ grace ─▶ abandoned, disowned ┘
//
// Lost closes the commits first and flushes nothing.
//
// # Non-obvious
//
//   - The supervisor never blocks: what waits (the start of a claim, a flush, the leave) runs in a goroutine that
//     posts its result back and that the end of the supervisor waits for.
//   - A handler that does not return would keep its actor, and so the supervisor's own stop, waiting for ever. The
//     child is disowned: the supervisor is sent actor.Terminated for it as a system message, after which protoactor
//     no longer waits for it. The child's own late Terminated is harmless; its name is not used again.
//   - protoactor resolves PIDs by name. Actor names carry the claim's process-wide sequence number, so that a late
//     message to an old claim's actor cannot reach the next one of the same partition.
//   - A fault of our own, or of the application's code in the supervisor's turn, drains the consumer, and after the time of a
//     drain a kill ends what is left ([invoker], crashed): no claim stays without an owner.
//   - A PoisonPill, a Stop and a parent's Restart from outside are held back by the supervisor's mailbox ([gate])
//     until the group has been left: Terminated means "left".
//   - Where a claim stands is asked by one inquiry at a time. While a look-up has not succeeded, and while a skip moves the
//     offset store, nothing is delivered and no other command reaches the head: a record of an old position that came
//     through then would move the store back.
//   - An end (a deadline, a grace, the patience with a commit or a leave) is only ever brought forward.
//   - A claim whose predecessor of the same partition in this process has not ended waits for it, so that two
//     handlers never run on one partition at a time; only a handler that was abandoned may still be running.
package supervisor
