package actors

// Progress is what a commit says of a partition: where it stands, and what the next owner must know of the
// record there. The unit that is dirty is all of it: a failure commits the same Next with a higher Attempt.
type Progress struct {
	Next    int64 // the first unfinished offset
	Attempt int   // attempts made at the record at Next; 0: none
	Parked  bool
	Reason  string // of the park
}
