// Package consumertest runs a consumer without Kafka: the same supervisor and the same partition actors, fed by a
// script, in a testing/synctest bubble, where an hour of backoff takes a microsecond.
//
//	consumertest.Run(t, consumer.Config{Handler: handle, Policy: policy}, func(t *testing.T, k *consumertest.Kit) {
//		orders := k.Assign("orders", 0)
//		orders.Append(`{"cents":1}`, `{"cents":-1}`) // the second one panics
//		k.Advance(150 * time.Millisecond)            // the policy waits 200 ms
//		if got := orders.Committed(); got != 1 {
//			t.Errorf("committed %d, want 1", got)
//		}
//		if took := orders.Revoke(); took > time.Second {
//			t.Errorf("the backoff held the revocation up for %v", took)
//		}
//	})
//
// [Kit.Assign] gives the consumer a partition, [Partition.Append] produces into its log, [Partition.Revoke] and
// [Partition.Lose] take it away; a later Assign of the same partition begins where the last owner's commit stands, with
// the attempts and the park that its metadata carries. Each call returns when everything is idle: no test waits or
// polls. Time passes in [Kit.Advance], and in calls that wait for an end ([Kit.Drain], Revoke).
//
// # What a test at this level shows
//
// What handlers and actors see, and when; what the policy, a strategy, or an operator's command makes of a failure; what
// is committed; what a partition drops that is parked for long, and that it comes again; what becomes of a claim in a
// rebalance, a loss, or a drain, with handlers that are slow, stuck, panic or end their goroutine. The script is a strict
// partner: it fails the test when the supervisor breaks the contract of a seam, or when two handlers run on one partition
// at a time.
//
// # What it does not show
//
//   - The group protocol: who gets what, and when. The script assigns and revokes as it likes.
//   - Fetching: wire formats, transactions, leaders, brokers that are slow or away. The scripted source brings what is in
//     the script's log, as much as the backlog has room for, at once; see [Partition.Hole], [Partition.Truncate] and
//     [Partition.Corrupt] for what a log can do.
//   - Commits on the way to a coordinator. They are acknowledged at once unless [Kit.FailCommits] or [Kit.CommitTime] says
//     otherwise.
//   - How fast it is, and what a scheduler does to it: bubbles run real goroutines, but idle time costs nothing.
//
// For these there is [Broker], a cluster within the test's process, outside of the bubble and in real time. Only programs
// that import this package contain it.
//
// Handlers run inside of the bubble: network I/O, and channels made outside of Run, keep virtual time from passing. Make
// what they need within Run, or use fakes.
package consumertest
