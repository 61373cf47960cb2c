// Package member is a place in a consumer group: Kafka's classic group protocol, on sarama's requests. It
// implements supervisor.Membership and tells a supervisor.Inbox what is ours, what is to be given up, and what is
// lost.
//
// # A machine and a loop
//
// The protocol is a pure machine: events in (an answer, a tick, a release), actions out (a request, a message to
// the supervisor). It knows no clock, goroutine or connection, so that a random test can drive it through more
// orders of events in a second than a cluster sees in a year. A [Member] is the loop around it: one goroutine that
// feeds it, and one short-lived goroutine per request in flight, each with a deadline.
//
//	          start            coordinator known, eager: nothing owned
//	idle ───▶ unjoined ─────────────────────────────▶ joining
//	             ▲  ▲                                   │ leader      │ follower
//	             │  │ any refusal                       ▼             │
//	  rebalance, │  └─────────────────────────────── planning         │
//	  rejoin     │                                      │             │
//	             │            assigned                  ▼             │
//	           stable ◀───────────────────────────── syncing ◀────────┘
//	             │  everything given up, to stop
//	             ▼
//	          leaving ───▶ ended
//
// Beside the phase, three things live their own lives: the coordinator (known, or looked for), the heartbeats
// (sent in every phase while there is a generation: also while a join waits, between join and sync, and while
// partitions are given up), and the claims.
//
// # What always holds
//
//   - Nothing is owned past the lease: the time the last positively answered heartbeat (or sync) was sent at, and
//     90 % of the session timeout, by the monotonic or the wall clock, whichever went further; nor past the time at
//     which a rebalance may end without our join or our sync.
//   - A partition is told assigned, then perhaps revoked, then released or lost; never assigned while it is held.
//   - An eager member (or one with a list of strategies that are not all cooperative, KIP-429) joins with nothing
//     owned; a cooperative one claims everything that it has not given up.
//   - A join is never sent while a sync is out, a leave never while anything is owned.
//   - A static member whose id no assignment has confirmed does not take the word of another coordinator for it that it was
//     replaced: it joins once more, without an id.
//   - A static member that stops does not end between a join and its sync while there is time: nobody else has its place.
//   - A leader whose plan withholds partitions from their next owners asks for another one when nobody can be giving them up
//     any more, at growing distances.
//   - Whatever is waited for has a deadline, and a retry has a pause.
//
// # Losing the coordinator
//
// NOT_COORDINATOR, a broken or a silent connection end no claim: connections are dropped, any other broker is
// asked, with a pause between attempts, and a heartbeat is sent as soon as the coordinator is known. Only the
// lease ends claims. A broker that dies is replaced by its cluster after its own session (9 s by default), which
// no client can shorten: session timeouts below 15 s lose everything with their coordinator.
package member
