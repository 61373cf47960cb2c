// Package source fetches records from Kafka for claims: it implements supervisor.Source on sarama's Broker.Fetch.
// The wire format, decompression, checksums, TLS and SASL are sarama's; when to ask whom for what is ours.
//
// # Model
//
// A [Source] holds one partition for each open claim. Each partition is in one place at a time:
//
//	Open ──▶ orphan ──router finds the leader──▶ on a lane ──Close──▶ gone
//	            ▲                                    │
//	            └── leader moved, connection lost ───┘
//
// The router is one goroutine. It asks the cluster who leads the orphans, and puts them on lanes: the first time at
// once, after failures paced. A lane is one connection to one broker with one goroutine: it builds a request for
// every partition of its that has room, waits for the answer, hands each partition its part in one delivery, and
// builds the next. A lane whose partitions have all gone ends after a while.
//
// A partition on a lane is asked for unless its sink has no room, it has failed (the sink was told, and it waits
// for a Seek), or it is secluded: asked for in requests of its own because an answer could not be decoded.
//
// # What holds
//
//   - A delivery belongs to one seek. Each ask carries the turn of its partition; Seek begins a new turn, Close ends
//     the last; an answer of an earlier turn is dropped. Sinks are called under the partition's lock, which
//     Seek and Close take: once they have returned, nothing older comes.
//   - Deliveries are in order and without a gap: the next ask starts where the last delivery's extent ends, and one
//     request is in flight for a partition at most.
//   - The source's own lock is never held while a partition's lock is waited for: a backlog may call Wake under
//     its own lock, while the source holds a partition's and asks that backlog for its room.
//   - A partition that is paused for long (negative room) is not fetched. Every ten seconds its high-water mark is asked
//     for, and delivered without records: its lag grows.
//   - A request cannot be taken back. What waits for one (a seek, a wake beside idle partitions) waits for MaxWait at
//     most. Stop cuts the connections.
//   - Memory: what a partition asks for fits its room, corrected by the compression that it has shown (appetite). One
//     batch comes whole, whatever its size.
//
// # Memory
//
// The ceiling is what the backlogs may hold, and on top of it one answer for each connection: on the wire MaxBytes, or
// one batch if that is larger, and in memory what it decompresses to, all of it before any of it is delivered. As long
// as the compression is known, that fits the rooms of the partitions which were asked for. It is not known to begin
// with, when each asks for 64 KiB on the wire, and it may change: the first answer after that brings up to
// PartitionBytes for each partition, and as many bytes in memory as the new compression makes of them. Rooms are
// those of the moment in which they were asked: partitions that share a total may together be sent more than is left
// of it, by one answer for each connection.
//
// Nothing bounds what a single batch decompresses to. sarama can (MaxDecompressedBatchSize; it looks while it
// decompresses), but by a variable of the process, zero by default, which concerns every user of sarama in it and
// must not change while one runs: it is the program's to set, before it starts anything. A batch beyond it parks its
// partition with that reason.
//
// # What is left out
//
// Reading from followers (KIP-392): no rack is sent. Fetch sessions (KIP-227): sarama cannot take a partition out of
// one, and with hundreds of partitions they save little. Detection of a truncated log by epoch (KIP-320, the
// last-fetched half): sarama sends none; an offset beyond the log is out of range. Topic ids (fetch version 13).
// The hint of the leader of now in an answer (KIP-951): the router asks instead. A batch with more records than bytes on
// the wire, which takes compression and small records that are alike: sarama does not decode it; the partition parks.
package source
