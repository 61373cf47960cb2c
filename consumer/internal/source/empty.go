package source

import (
	"reflect"

	"github.com/IBM/sarama"
)

// nextField is a figure that sarama computes for every answer and does not export: the offset behind its last
// whole batch. Nothing else tells where a batch ends that compaction has emptied: sarama drops it from RecordsSet,
// and an offset cannot be guessed, since the broker answers every offset inside of the batch with the same batch.
// TestEmptiedBatchIsPassed fails when a release of sarama renames the field.
var nextField = func() []int {
	f, ok := reflect.TypeFor[sarama.FetchResponseBlock]().FieldByName("recordsNextOffset")
	if !ok || f.Type != reflect.TypeFor[*int64]() {
		return nil
	}
	return f.Index
}()

// afterEmpty is the offset behind the batches of an answer that holds no record. Without one it answers false.
func afterEmpty(block *sarama.FetchResponseBlock) (int64, bool) {
	if nextField == nil || len(block.RecordsSet) > 0 {
		return 0, false
	}
	next := reflect.ValueOf(block).Elem().FieldByIndex(nextField)
	if next.IsNil() {
		return 0, false
	}
	return next.Elem().Int(), true
}
