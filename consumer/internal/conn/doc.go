// Package conn is how the consumer reaches brokers: single connections, the cluster as a whole, and the three
// connections to a group's coordinator.
//
// # One connection
//
// A [Conn] carries one request at a time and can be cut from another goroutine at any moment. A [Broker] is the
// real one, on sarama's Broker, which by itself has neither: its requests take no context, and its Close and
// Connected wait for the request in flight (sarama broker.go, sendAndReceive holds the lock from the request to
// its answer). The [Dialer] therefore hands sarama a dialer of its own, remembers the net.Conn that it made,
// and closes that. TLS and SASL are untouched: sarama does both after the dial.
//
// Who makes a request gives it a deadline by context; at its end the connection is cut, and dropped by whoever
// kept it. A connection that failed once is never used again.
//
// # The cluster
//
// A [Cluster] knows the seeds and the brokers of the last metadata. [Ask] puts a question to any of them: to a
// second one as soon as the first has failed or has been silent for a moment, and so on; the first good answer
// counts. So no look-up ever waits for a dead broker.
//
// # The coordinator
//
// A [Coordinator] is the place of one member in front of its group's coordinator: the address of now, three
// connections to it, each used by one kind of request (a join waits for long, and must not hold up heartbeats
// or commits), and the identity that requests must carry. The member writes address and identity; the
// committer reads both, waits for their change, and reports what a commit's answer says about the membership.
package conn
