package source

import "github.com/IBM/sarama"

// upgrade turns messages of the formats 0 and 1, written before Kafka 0.11, into record batches of one record each,
// so that all else knows one format. That is dear, and logs that old are rare.
//
// A compressed message wraps others. In format 1 their offsets are relative; the wrapper has the absolute offset
// of the last one (KIP-31) and, with LogAppendTime, the timestamp of all (KIP-32).
func upgrade(set *sarama.MessageSet) []*sarama.RecordBatch {
	if set == nil {
		return nil
	}
	batches := make([]*sarama.RecordBatch, 0, len(set.Messages))
	for _, block := range set.Messages {
		inner := block.Messages()
		base := int64(0)
		if n := len(inner); n > 0 && block.Msg.Version > 0 {
			base = block.Offset - inner[n-1].Offset
		}
		for _, m := range inner {
			batches = append(batches, &sarama.RecordBatch{
				FirstOffset: base + m.Offset, Version: m.Msg.Version, Codec: block.Msg.Codec,
				LogAppendTime: block.Msg.LogAppendTime, FirstTimestamp: m.Msg.Timestamp, MaxTimestamp: block.Msg.Timestamp,
				Records: []*sarama.Record{{Key: m.Msg.Key, Value: m.Msg.Value}},
			})
		}
	}
	return batches
}
