// Package membertest is a scripted cluster with one consumer group, behind the conn.Conn interface: for tests of the
// member, and of what stands on it, in a testing/synctest bubble. There is no network, only timers, so that a
// virtual day passes in a second.
//
// The group follows Kafka's GroupCoordinator: member ids are given first (KIP-394); a rebalance waits for all
// members, at most for the longest of their rebalance timeouts, and forgets who has not joined; a join that changes
// nothing starts no rebalance, but for the leader's; sessions end; static members are replaced and fenced (KIP-345),
// and a static leader that comes back is told its earlier id as the leader's, as JoinGroup up to version 8 does.
//
// As with the real one, a commit is checked for member and generation, and never for who owns the partition.
//
// A script may silence a broker, refuse its connections, move the coordinator, answer requests with errors, and lose
// answers to requests that were carried out.
package membertest
