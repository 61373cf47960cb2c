package actors

import "github.com/ottla-go/ottla/messages"

// fetched keeps a batch, or the one record that was copied out of it, with its attempt.
type fetched struct {
	batch Batch
	again *messages.Record  // not nil: a record that failed or is parked, with bytes of its own
	slab  []messages.Record // to read the batch's next records to
}

// slabSize is how many records are allocated at once. One of them that is alive keeps all of them, and their values
// with them. Large ones are therefore allocated one by one, and no slab is for two batches: while records come one by
// one, it would keep the fetches of the last 64.
const (
	slabSize  = 64
	slabbable = 1 << 10 // bytes, as Record.Size counts them
)

// blank is where record i, of size bytes, is read to.
func (f *fetched) blank(i, size int) *messages.Record {
	if size > slabbable {
		return new(messages.Record)
	}
	if len(f.slab) == 0 {
		f.slab = make([]messages.Record, min(slabSize, f.batch.Len()-i))
	}
	r := &f.slab[0]
	f.slab = f.slab[1:]
	return r
}

// Taken is a record in flight. It is four words, which the compiler keeps in registers.
type Taken struct {
	Offset  int64
	Attempt int // 0: the first
	from    *fetched
	at      place
}

type place struct{ index, size int32 }

// Size is that of the record in bytes.
func (t Taken) Size() int { return int(t.at.size) }

// Again is the next attempt at the record, with bytes of its own; nil for one that is read from its fetch.
func (t Taken) Again() *messages.Record { return t.from.again }

// Read fills r from the fetch.
func (t Taken) Read(r *messages.Record) {
	t.from.batch.Read(int(t.at.index), r)
	r.Attempt = t.Attempt
}

// Record is the record itself: the attempt that was prepared, or one read from its fetch.
func (t Taken) Record() *messages.Record {
	if r := t.from.again; r != nil {
		return r
	}
	r := t.from.blank(int(t.at.index), t.Size())
	t.Read(r)
	return r
}
