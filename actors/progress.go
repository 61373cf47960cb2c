package actors

import "bytes"

// Progress is what a commit says of a partition: where it stands, and what the next owner must know of the
// record there and of those behind it. The unit that is dirty is all of it: a failure commits the same Next with a higher
// Attempt, and a record that finishes behind Next commits the same Next with another Finished.
type Progress struct {
	Next    int64 // the first unfinished offset
	Attempt int   // attempts made at the record at Next; 0: none
	Parked  bool
	Reason  string // of the park
	// Finished is what is finished beyond Next, as EncodeSpans writes it relative to Next; nil: nothing. It is not changed
	// once somebody else has it. By partition it is always nil.
	Finished []byte
}

// Equal says whether both say the same.
func (p Progress) Equal(q Progress) bool {
	return p.Next == q.Next && p.Attempt == q.Attempt && p.Parked == q.Parked && p.Reason == q.Reason &&
		bytes.Equal(p.Finished, q.Finished)
}
