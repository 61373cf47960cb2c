package metadata

import (
	"errors"
	"math"

	"github.com/ottla-go/ottla/actors"
)

// Limit is how many bytes of fields one string carries at most, before base64.
const Limit = 3000

// FinishedMost is how many bytes Note.Finished may have so that attempts, park and partitions are carried as well, however
// high they are. The reason of a park is what is left out.
const FinishedMost = Limit - attemptsMost - parkedSize - partitionsMost - finishedHead

// How many bytes the other fields take at most, and the type and the length of the finished ranges.
const (
	attemptsMost   = 2 + 5
	parkedSize     = 2
	partitionsMost = 2 + 5
	finishedHead   = 1 + 2
)

var (
	// ErrForeign: the string was not written by Ottla, or by a version with another format.
	ErrForeign = errors.New("ottla: the committed metadata is not of the form ottla1:…; attempts, park and what is finished beyond the offset are not carried over")
	// ErrDamaged: the string begins like one of ours and cannot be read.
	ErrDamaged = errors.New("ottla: the committed metadata is damaged; attempts, park and what is finished beyond the offset are not carried over")
	// ErrTooLong: the finished ranges alone do not fit.
	ErrTooLong = errors.New("ottla: the finished ranges do not fit into the commit's metadata")
)

// Note is what one string carries. The zero value is the empty string.
type Note struct {
	Attempt int    // attempts made at the record at the committed offset; at most [MaxAttempt]
	Parked  bool   // that record waits for somebody to act
	Reason  string // of the park; carried only with Parked
	// Finished are the ranges of records beyond the offset that are done, as actors.EncodeSpans writes them. From Decode
	// to Encode they are kept as they are; whoever uses them finds out what they are.
	Finished []byte
	// Partitions is how many partitions the topic had when the group first came to it and began at the end of the
	// log; 0: it did not, or nobody noted it. A partition with this number or a higher one was added later.
	Partitions int32
}

// MaxAttempt is the highest attempt that is carried; a higher one is carried as this.
const MaxAttempt = math.MaxInt32

// Of is the note of a partition's progress.
func Of(p actors.Progress) Note {
	return Note{Attempt: p.Attempt, Parked: p.Parked, Reason: p.Reason, Finished: p.Finished}
}

// Progress is what the note says of the record at next, and of those behind it.
func (n Note) Progress(next int64) actors.Progress {
	return actors.Progress{Next: next, Attempt: n.Attempt, Parked: n.Parked, Reason: n.Reason, Finished: n.Finished}
}
