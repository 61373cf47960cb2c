package actors

// Sink takes what a source fetched for one claim. Its methods run under the source's lock: they never block
// and never call the source.
type Sink interface {
	// Room is how many bytes may be asked for; 0: full for the moment; negative: paused for long. Wake on the
	// source says that there may be room again.
	Room() int
	// Deliver takes a batch, in order, never dropping what it may read later. seek is the number of the seek
	// that the fetch belongs to. A batch of no records only reports the extent; that of a partition that is paused for
	// long is reported, too.
	Deliver(seek uint64, batch Batch, extent Extent)
	// Failed says that nothing more comes for this seek until the source is asked to Seek again.
	Failed(seek uint64, err error)
}
