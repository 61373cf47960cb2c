// Package simulation runs a whole consumer group in one testing/synctest bubble, and disturbs it: one to five processes,
// each with the real member, committer, supervisor and partition actors, against a scripted coordinator and log. Its
// tests are all that there is; this file only says what they are.
//
// Like the real one, the scripted coordinator does not check who owns a partition. Between a process and the brokers a
// cable may be cut, both ways or one way; brokers are silent, refuse connections, resign, answer with errors, carry a
// request out and lose its answer. Processes start, drain, stop, are killed, and are paused. Handlers work, fail, panic, end
// their goroutine, hang until their context ends, and hang beyond it. Members are dynamic or static; static ones restart
// within their session, also in the middle of a handover, and meet second processes with their instance id. Offsets are kept by Kafka, by a store, or by a
// store and reported to Kafka; a store fails, takes its time, does what it does not say, and is put back or forward. An
// operator retries, skips, dead-letters and parks heads that may be other ones by now, and pauses partitions. What all records
// need is away at times, for which the policy opens a breaker; attempts have a limit in some schedules.
//
// The policy is a part of the schedule: for each kind of failure the seed chooses the steps from a small family, with Times, Within
// and For; in a quarter of the schedules handlers direct what becomes of hopeless records. Dead letters are written to a place
// that refuses them, takes its time, hangs until the context ends, writes and does not say so, and writes when nobody waits any
// more, perhaps because the claim has ended.
//
// # Pauses
//
// A bubble has one clock, and nobody can stop a goroutine from outside: SIGSTOP can be had in parts only. A paused process
// stops at its gates, where it meets the world; timers go off inside it all the while, and what they cause waits at a gate.
// So it wakes with old answers, old requests and handlers under way, but not with old timers. The step simulation of
// package member has the whole of it, with clocks that jump.
//
// # What has to hold after every step
//
//   - Nothing is lost: once the disturbances are over, every record has been handled, and committed.
//   - A partition's records are handled in order over all of its owners: none begins before those in front of it are
//     finished. Within one claim, offsets do not go back.
//   - At most one handler runs on a partition, among owners that have not been told to end.
//   - A committed offset never passes a record that is not finished, never goes back, and is only ever moved by the
//     process whose claim is the newest one.
//   - Every claim is released by its deadline, also over a handler that does not return.
//   - A drain in peace ends without an error, and no goroutine and no actor stays.
//   - A static member that restarts within its session, in a group at rest, has its partitions again, and no claim of
//     another one ends. Of two processes with one id, one ends, with an error that says why; nobody else ends by itself.
//   - With a store: only the owner of the newest fence saves; each save is of the first record that is not done; an
//     Advance moves the store by one record, never back; Kafka is told of nothing that the store has not had.
//   - After an Acquire or a SeekTo, the next record is the first one of the log at or after the offset.
//   - A record leaves a claim only by its handler's success, by a skip that the policy or an operator asks for, or by a dead letter that
//     is acknowledged, with the record's bytes and the right origin in its headers; and no commit passes one that has not left.
//     Until then nothing behind it is handled in that claim.
//   - Each attempt that fails is decided about once, by the first rule that matches, and its first step whose budget is not spent:
//     as a naive model has it, which counts through the whole history. What exact means over owners, and with a store, is told
//     at the model (model_test.go).
//   - While a process's breaker is open, one head at a time is tried, of whatever partition, and no other call begins. It closes
//     when what all need is back, whatever has become of the claims.
//   - An attempt whose time is over has no other one beside it before its handler has returned.
//   - While a partition is parked, nothing is handled, until an operator says so; what an operator was told is skipped does
//     not come again in that claim, and a skip that was refused skips nothing. Nothing of a partition that is paused is handled,
//     nor a head that an operator has parked.
//
// What a process does at the instant in which a pause ends, or with a second one beside it that has its instance id, is not
// held against it where handlers run beside each other: that is what fences are for. What it commits is.
//
// # Seeds
//
// A schedule of faults is made from a seed, before it runs; what a handler does with an attempt follows from the seed
// and the record. In which order goroutines of one instant run is the scheduler's, so that a seed is not the same
// twice to the last step: a failure is repeated by running its seed again and again, see the flags of the tests.
package simulation
