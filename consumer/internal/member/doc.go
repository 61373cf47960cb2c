// Package member speaks Kafka's classic group protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup) on sarama's
// wire layer, in the place of sarama's ConsumerGroup.
//
// It is a pure machine, in which everything is decided (events in, actions out; no clock, no I/O), and a thin loop
// around it: [Member], which makes the requests, reads the clocks, and tells a supervisor.Inbox.
//
//	idle ─start─▶ unjoined ─▶ joining ─▶ (leader: planning) ─▶ syncing ─▶ stable ─┐
//	                 ▲                                                              │ a rebalance, a revocation done
//	                 └──────────────────────────────────────────────────────────────┘
//	     stop, and everything is given up ─▶ leaving ─▶ ended
//
// # Rules worth knowing
//
//   - Heartbeats are sent in every phase while there is a generation: while partitions are given up, and while a join
//     waits for other members. After a join they come quickly at first, because a cooperative rebalance has a second
//     step that is noticed by a heartbeat.
//   - The lease: what we own, we own for 90 % of the session timeout after the request that the coordinator last
//     answered well was SENT, by the monotonic or the wall clock, whichever went further (a suspended machine's
//     monotonic clock stands still). When it is over, everything is lost, before anything else is done.
//   - A coordinator that dies, moves or is silent ends nothing: it is looked for anew, partitions are kept. The lease
//     bounds it.
//   - Cooperative (KIP-429): the assignment is final; what is new begins now, what is missing is given up, and only when
//     all of that is released does the member join again, so that the leader can give it to others.
//   - A leave is repeated until it is answered: an unanswered one leaves a ghost for which the group waits a session.
//   - A static member (KIP-345) that leads and restarts is told its former member id as leader, up to JoinGroup v8:
//     nobody would lead. It joins once more.
package member
