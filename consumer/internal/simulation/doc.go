// Package simulation runs a whole consumer group in one testing/synctest bubble, and disturbs it: one to five processes,
// each with the real member, committer, supervisor and partition actors, against a scripted coordinator and log. Its
// tests are all that there is; this file only says what they are.
//
// Like the real one, the scripted coordinator does not check who owns a partition. Between a process and the brokers a
// cable may be cut, both ways or one way; brokers are silent, refuse connections, resign, answer with errors, carry a
// request out and lose its answer. Processes start, drain, stop, and are killed. Handlers work, fail, panic, end their
// goroutine, hang until their context ends, and hang beyond it.
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
//   - A drain in peace ends without an error, and no goroutine stays.
//
// # Seeds
//
// A schedule of faults is made from a seed, before it runs; what a handler does with an attempt follows from the seed
// and the record. In which order goroutines of one instant run is the scheduler's, so that a seed is not the same
// twice to the last step: a failure is repeated by running its seed again and again, see the flags of the tests.
package simulation
