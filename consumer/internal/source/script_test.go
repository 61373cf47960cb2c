package source

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw is one record batch as bytes, and where it lies.
type raw struct {
	first, last int64
	bytes       []byte
}

// rawBatch makes a batch of the values, at first, first+1, …, whose range ends at last.
func rawBatch(first, last int64, values ...[]byte) raw {
	return sealed(first, last, 0, len(values), rawRecords(values...))
}

// gzipped is the same, compressed.
func gzipped(first, last int64, values ...[]byte) raw {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(rawRecords(values...))
	_ = w.Close()
	return sealed(first, last, 1, len(values), buf.Bytes())
}

func rawRecords(values ...[]byte) (records []byte) {
	for i, v := range values {
		var r []byte
		r = append(r, 0)              // attributes
		r = binary.AppendVarint(r, 0) // timestamp delta
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1) // no key
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(r, v...)
		r = binary.AppendVarint(r, 0) // no headers
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	return records
}

// truncatedGzip cuts the compressed records short, as a broken producer would before it computes the checksum.
func truncatedGzip(first, last int64) raw {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(bytes.Repeat([]byte("records"), 100))
	_ = w.Close()
	return sealed(first, last, 1, 1, buf.Bytes()[:buf.Len()-12])
}

// crammed is a batch of 10,000 records that are all alike, and so compressed to less than a byte each.
func crammed(first, last int64) raw {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(bytes.Repeat(rawRecords(make([]byte, 20)), 10_000))
	_ = w.Close()
	return sealed(first, last, 1, 10_000, buf.Bytes())
}

// sealed makes a batch with the right length and checksum around any records.
func sealed(first, last int64, attributes int16, n int, records []byte) raw {
	b := kmsg.RecordBatch{
		FirstOffset: first, Magic: 2, Attributes: attributes, LastOffsetDelta: int32(last - first), FirstTimestamp: epoch.UnixMilli(), MaxTimestamp: epoch.UnixMilli(),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: records,
	}
	bs := b.AppendTo(nil)
	binary.BigEndian.PutUint32(bs[8:], uint32(len(bs)-12))
	binary.BigEndian.PutUint32(bs[17:], crc32.Checksum(bs[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw{first, last, bs}
}

// script answers fetches for topic t as a real broker does from the batches that a test made, where kfake has no such
// batches or is kinder than Kafka: batches come whole and while they fit, but for the first of an answer (KIP-74);
// a batch that does not fit is cut off, and an answer that begins with such a one is emptied (ReplicaManager.scala).
type script struct {
	mu       sync.Mutex
	logs     map[int32][]raw
	asked    []map[int32]int32                                      // partition_max_bytes by partition, of each request
	override func(q *kmsg.FetchRequest, p *kmsg.FetchResponse) bool // true: the answer is complete
	cut      bool                                                   // send what fits of a batch behind others, as Kafka does
}

func newScript(t *testing.T, c *kfake.Cluster, logs map[int32][]raw) *script {
	t.Helper()
	s := &script{logs: logs}
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		q := req.(*kmsg.FetchRequest)
		p := q.ResponseKind().(*kmsg.FetchResponse)
		if !s.answer(q, p) {
			c.SleepControl(func() { during(time.Duration(q.MaxWaitMillis) * time.Millisecond) })
		}
		return p, nil, true
	})
	return s
}

func (s *script) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *script) set(override func(q *kmsg.FetchRequest, p *kmsg.FetchResponse) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.override = override
}

// answer reports whether there is something to tell at once.
func (s *script) answer(q *kmsg.FetchRequest, p *kmsg.FetchResponse) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[int32]int32{}
	for _, t := range q.Topics {
		for _, part := range t.Partitions {
			asked[part.Partition] = part.PartitionMaxBytes
		}
	}
	s.asked = append(s.asked, asked)
	if s.override != nil && s.override(q, p) {
		return true
	}
	left, sent := int(q.MaxBytes), false
	for _, t := range q.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic = t.Topic
		for _, part := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition, rp.RecordBatches = part.Partition, []byte{}
			log := s.logs[part.Partition]
			if n := len(log); n > 0 {
				rp.HighWatermark = log[n-1].last + 1
			}
			rp.LastStableOffset = rp.HighWatermark
			room := min(left, int(part.PartitionMaxBytes))
			for _, b := range log {
				if b.last < part.FetchOffset {
					continue
				}
				if first := !sent && len(rp.RecordBatches) == 0; !first && len(rp.RecordBatches)+len(b.bytes) > room {
					if s.cut && len(rp.RecordBatches) > 0 && room > len(rp.RecordBatches) {
						rp.RecordBatches = append(rp.RecordBatches, b.bytes[:room-len(rp.RecordBatches)]...)
					}
					break
				}
				rp.RecordBatches = append(rp.RecordBatches, b.bytes...)
			}
			left = max(0, left-len(rp.RecordBatches))
			sent = sent || len(rp.RecordBatches) > 0
			rt.Partitions = append(rt.Partitions, rp)
		}
		p.Topics = append(p.Topics, rt)
	}
	return sent
}

func values(n, size int) [][]byte {
	vs := make([][]byte, n)
	for i := range vs {
		vs[i] = make([]byte, size)
	}
	return vs
}
