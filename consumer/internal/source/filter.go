package source

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/IBM/sarama"
)

// harvest is what a partition's part of an answer holds for the reader.
type harvest struct {
	wires   []wire
	records int
	// next is where the following request starts, beyond control records, aborted transactions and the holes that
	// compaction left. It is the offset asked for when the answer brings the partition no further.
	next int64
	// torn says that the first batch with records is cut off, or does not decode although it is whole. Where not even
	// its header decodes, sarama leaves it out and sets block.Partial.
	torn bool

	// What the appetite learns from: all data batches, their records below the offset asked for included.
	batches  int
	size     int  // of the records, as a backlog counts them
	largest  int  // the same of the largest batch
	onWire   int  // bytes they took, or would have taken uncompressed
	squeezed bool // one of them is compressed
}

// Least bytes on the wire of a batch, a record and a header beside their contents (Kafka: DefaultRecordBatch.java,
// DefaultRecord.java). Varints make the true figures a little larger.
const (
	batchOverhead  = 61
	recordOverhead = 8
	headerOverhead = 2
)

// filter picks the records that a reader at offset from is to see. It is pure.
//
// With committed it leaves out the data of aborted transactions as Kafka's own client does (CompletedFetch.java):
// the answer lists the aborted transactions that reach into it, each with its producer and first offset. In offset
// order, a transaction begins to count when the batches reach its first offset, and ends at that producer's
// abort marker. A producer has one transaction at a time, so its id says which.
func filter(block *sarama.FetchResponseBlock, from int64, committed bool) harvest {
	h := harvest{next: from, torn: block.Partial && len(block.RecordsSet) == 0}
	pending := block.AbortedTransactions
	if !committed {
		pending = nil
	}
	slices.SortFunc(pending, func(a, b *sarama.AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	var aborted map[int64]bool // by producer id
	for _, set := range block.RecordsSet {
		b := set.RecordBatch
		if b == nil {
			for _, old := range upgrade(set.MsgSet) {
				h.next = max(h.next, old.LastOffset()+1)
				h.add(old, from)
			}
			if set.MsgSet != nil && len(set.MsgSet.Messages) == 0 {
				h.torn = set.MsgSet.PartialTrailingMessage || set.MsgSet.OverflowMessage
			}
			continue
		}
		if b.PartialTrailingRecord {
			// sarama keeps a cut batch only where no batch before it holds a record: those before it, if any, were
			// emptied by compaction, so that nothing lies between from and here.
			h.torn, h.next = true, max(h.next, b.FirstOffset)
			break
		}
		last := b.LastOffset()
		h.next = max(h.next, last+1)
		for len(pending) > 0 && pending[0].FirstOffset <= last {
			if aborted == nil {
				aborted = map[int64]bool{}
			}
			aborted[pending[0].ProducerID] = true
			pending = pending[1:]
		}
		switch {
		case b.Control:
			if isAbort(b) {
				delete(aborted, b.ProducerID)
			}
		case b.IsTransactional && aborted[b.ProducerID]:
		default:
			h.add(b, from)
		}
	}
	return h
}

// isAbort reads the type of a control batch, which sarama does not export: key = version int16, type int16; 0 aborts,
// 1 commits (Kafka: ControlRecordType.java).
func isAbort(b *sarama.RecordBatch) bool {
	return len(b.Records) > 0 && len(b.Records[0].Key) >= 4 && binary.BigEndian.Uint16(b.Records[0].Key[2:]) == 0
}

// add takes a data batch, without its records below from.
func (h *harvest) add(b *sarama.RecordBatch, from int64) {
	if len(b.Records) == 0 {
		return
	}
	sum, wireBytes := 0, batchOverhead
	for _, r := range b.Records {
		sum += size(r)
		wireBytes += len(r.Key) + len(r.Value) + recordOverhead
		for _, hd := range r.Headers {
			wireBytes += len(hd.Key) + len(hd.Value) + headerOverhead
		}
	}
	h.batches++
	h.size += sum
	h.onWire += wireBytes
	h.largest = max(h.largest, sum)
	h.squeezed = h.squeezed || b.Codec != sarama.CompressionNone

	skip := 0
	for skip < len(b.Records) && b.FirstOffset+b.Records[skip].OffsetDelta < from {
		skip++
	}
	if skip == len(b.Records) {
		return
	}
	if h.wires == nil {
		h.wires = make([]wire, 0, 8)
	}
	h.wires = append(h.wires, wire{batch: b, first: h.records, skip: skip})
	h.records += len(b.Records) - skip
}
