package actors

// Cover makes spans of a partition's records, which are told to it in received order, each of them, the first unfinished
// one first. Offsets between two that were told hold no record, and count as finished: so what lies before a span, and
// between two of them, is unfinished records and nothing else, which [SpansBound] counts on. Behind the last finished record there
// is no span.
//
// The zero value is ready. It is not safe for concurrent use.
type Cover struct {
	spans []Span
	begun bool
	open  bool  // the newest record is finished
	last  int64 // unfinished
	upTo  int   // spans, with the last one that has a finished record
}

// Unfinished tells it of a record that is not finished.
func (c *Cover) Unfinished(offset int64) { c.Unreceived(offset, offset) }

// Unreceived tells it of offsets, first and last included, of which nobody knows yet whether they hold records: between
// the spans of an earlier owner.
func (c *Cover) Unreceived(first, last int64) {
	switch {
	case c.open:
		c.spans[len(c.spans)-1].Last = first - 1
	case c.begun && first > c.last+1: // a hole between two unfinished records
		c.spans = append(c.spans, Span{c.last + 1, first - 1})
	}
	c.begun, c.open, c.last = true, false, last
}

// Finished tells it of a finished record. Of several with nothing unfinished between them, the last one will do.
func (c *Cover) Finished(offset int64) {
	if c.open {
		c.spans[len(c.spans)-1].Last = offset
		return
	}
	c.spans, c.open = append(c.spans, Span{c.last + 1, offset}), true
	c.upTo = len(c.spans)
}

// Spans are those of all that it was told; none, if nothing is finished. They are valid until it is told more, or Reset.
func (c *Cover) Spans() []Span { return c.spans[:c.upTo] }

// Reset forgets all, and keeps its memory.
func (c *Cover) Reset() { *c = Cover{spans: c.spans[:0]} }
