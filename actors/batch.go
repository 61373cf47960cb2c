package actors

import "github.com/ottla-go/ottla/messages"

// Batch is what one fetch brought for one partition. It is read in place: a backlog of it costs no struct per
// record until the record is delivered. It is immutable and safe for concurrent use.
type Batch interface {
	// Len is the number of records.
	Len() int
	// Offset of record i; offsets ascend, and have holes where transactions and compaction left them.
	Offset(i int) int64
	// Size of record i in bytes, as messages.Record.Size counts it.
	Size(i int) int
	// Read fills everything of r but Attempt and Fence with record i. Keys and values may alias the fetch.
	Read(i int, r *messages.Record)
}

// Extent is what a source knows of a partition's log when it delivers.
type Extent struct {
	Next       int64 // where the next fetch starts, holes included
	HighWater  int64 // the offset that the next produced record will get
	LastStable int64 // records at or above it may still be aborted
	LogStart   int64 // the first offset that retention has left
}
