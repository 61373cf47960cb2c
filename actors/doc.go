// Package actors holds the machinery of a partition: the backlog, the mailbox that is made of it, and the
// partition actor.
package actors
