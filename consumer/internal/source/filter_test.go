package source

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/IBM/sarama"
)

// marker makes a control batch.
func marker(offset, producer int64, commit bool) *sarama.RecordBatch {
	key := make([]byte, 4)
	if commit {
		binary.BigEndian.PutUint16(key[2:], 1)
	}
	return &sarama.RecordBatch{Version: 2, FirstOffset: offset, ProducerID: producer, IsTransactional: true, Control: true, Records: []*sarama.Record{{Key: key}}}
}

// history is a random log of transactions and plain batches, and what is true of it.
type history struct {
	batches []*sarama.RecordBatch
	aborted []*sarama.AbortedTransaction // with the offset of the abort marker beside it, in ends
	ends    []int64
	visible []int64 // committed or plain, by the naive twin: it knows each record's fate when it writes it
	all     []int64 // every data record
	end     int64
}

func randomHistory(r *rand.Rand) *history {
	h := &history{}
	type open struct {
		first   int64
		records []int64
	}
	running := map[int64]*open{}
	for range 5 + r.IntN(60) {
		if r.IntN(4) == 0 {
			h.end += r.Int64N(5) // compaction
		}
		producer := r.Int64N(4)
		tx := running[producer]
		if tx != nil && r.IntN(3) == 0 {
			commit := r.IntN(2) == 0
			h.batches = append(h.batches, marker(h.end, producer, commit))
			if commit {
				h.visible = append(h.visible, tx.records...)
			} else {
				h.aborted = append(h.aborted, &sarama.AbortedTransaction{ProducerID: producer, FirstOffset: tx.first})
				h.ends = append(h.ends, h.end)
			}
			delete(running, producer)
			h.end++
			continue
		}
		b := wireBatch(h.end, 1+r.IntN(4), 1+r.IntN(2))
		var offsets []int64
		for _, rec := range b.Records {
			offsets = append(offsets, b.FirstOffset+rec.OffsetDelta)
		}
		h.all = append(h.all, offsets...)
		if producer == 0 { // a plain producer
			h.visible = append(h.visible, offsets...)
		} else {
			b.IsTransactional, b.ProducerID = true, producer
			if tx == nil {
				tx = &open{first: h.end}
				running[producer] = tx
			}
			tx.records = append(tx.records, offsets...)
		}
		h.batches = append(h.batches, b)
		h.end = b.LastOffset() + 1
	}
	for producer, tx := range running { // the last stable offset has passed them: they are all decided
		h.batches = append(h.batches, marker(h.end, producer, true))
		h.visible = append(h.visible, tx.records...)
		h.end++
	}
	slices.Sort(h.visible)
	return h
}

// answer is what a broker sends for one fetch: whole batches from the one with the offset on, and the aborted
// transactions that reach into them.
func (h *history) answer(from int64, batches int) *sarama.FetchResponseBlock {
	var sent []*sarama.RecordBatch
	for _, b := range h.batches {
		if b.LastOffset() >= from && len(sent) < batches {
			sent = append(sent, b)
		}
	}
	a := block(sent...)
	if len(sent) == 0 {
		return a
	}
	for i, tx := range h.aborted {
		if tx.FirstOffset <= sent[len(sent)-1].LastOffset() && h.ends[i] >= from {
			a.AbortedTransactions = append(a.AbortedTransactions, tx)
		}
	}
	rand.Shuffle(len(a.AbortedTransactions), func(i, j int) {
		a.AbortedTransactions[i], a.AbortedTransactions[j] = a.AbortedTransactions[j], a.AbortedTransactions[i]
	})
	return a
}

// TestFilterAgainstTwin reads random logs in random pieces from random offsets, and compares with what the log's
// writer knows.
func TestFilterAgainstTwin(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		log := randomHistory(r)
		for _, committed := range []bool{true, false} {
			want := log.all
			if committed {
				want = log.visible
			}
			from := r.Int64N(log.end + 1)
			first, _ := slices.BinarySearch(want, from)
			want = want[first:]
			var got []int64
			for next := from; next < log.end; {
				h := filter(log.answer(next, 1+r.IntN(4)), next, committed)
				b := &batch{wires: h.wires, records: h.records}
				for i := range b.Len() {
					got = append(got, b.Offset(i))
				}
				if h.next <= next {
					t.Fatalf("seed %d: no further than %d", seed, next)
				}
				next = h.next
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, committed %v, from %d:\n got %v\nwant %v", seed, committed, from, got, want)
			}
		}
	}
}

// TestFilterCutBatch: behind batches that compaction emptied, an answer may end in a batch that did not fit. sarama
// keeps only that; taking it for "nothing new" asks for the same again, for ever.
func TestFilterCutBatch(t *testing.T) {
	cut := &sarama.RecordBatch{Version: 2, FirstOffset: 500, PartialTrailingRecord: true}
	if h := filter(block(cut), 100, true); h.next != 500 || !h.torn || h.records != 0 {
		t.Errorf("next %d, torn %v, %d records; want 500, true, 0", h.next, h.torn, h.records)
	}
	if h := filter(block(cut), 500, true); h.next != 500 || !h.torn {
		t.Errorf("next %d, torn %v; want 500, true", h.next, h.torn)
	}
}

// TestFilterTail: the batch with the offset may hold only records below it, since compaction took the others.
func TestFilterTail(t *testing.T) {
	b := wireBatch(0, 3, 1)
	b.LastOffsetDelta = 9
	if h := filter(block(b), 5, true); h.next != 10 || h.records != 0 || len(h.wires) != 0 {
		t.Errorf("next %d, %d records; want 10, 0", h.next, h.records)
	}
}

// TestFilterMeasures: the size on the wire of what is not compressed is known closely.
func TestFilterMeasures(t *testing.T) {
	b := wireBatch(0, 100, 1)
	for _, r := range b.Records {
		r.Value = make([]byte, 100)
		r.Headers = []*sarama.RecordHeader{{Key: []byte("key"), Value: []byte("value")}}
	}
	h := filter(block(b), 50, true)
	key := len(b.Records[10].Key) // two digits for most
	if want := 100 * (key + 100 + 8 + 256 + 56); h.size < want-20 || h.size > want {
		t.Errorf("size %d, want about %d", h.size, want)
	}
	if want := 61 + 100*(key+100+8+8+2); h.onWire < want-20 || h.onWire > want {
		t.Errorf("on the wire %d, want about %d", h.onWire, want)
	}
	if h.squeezed || h.batches != 1 || h.largest != h.size || h.records != 50 {
		t.Errorf("%+v", h)
	}
}
