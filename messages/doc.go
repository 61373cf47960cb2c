// Package messages holds what is said in Ottla: the [Record] that a handler or a partition actor receives, the
// outcomes it answers with, the causes for which an attempt ends, failures and what was decided about them,
// the messages of a claim's life ([Assigned], [Revoked], [Lost]), an operator's commands, status and events.
//
// It is the leaf of the module: it imports the standard library and uuid only, so that a package with
// handlers and their unit tests stays light. A [Record] literal works in a unit test as it is.
//
// # A record is one attempt
//
// A redelivery of the same Kafka record is another *Record with another Attempt. A late completion, a reply
// that comes after a restart, or a goroutine that outlived its partition therefore holds a pointer that no
// longer counts: [Record.Complete] answers false, and [Record.Stale] says why.
package messages
