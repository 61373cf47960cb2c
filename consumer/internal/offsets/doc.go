// Package offsets says where a claim begins: the choices for partitions without an offset and for offsets that
// the log does not hold any more, and the contract of a store that keeps offsets elsewhere than in Kafka.
//
// Package consumer exports these types under its own name; they live here so that the committer, which applies
// them, and the configuration, which carries them, mean the same ones.
package offsets
