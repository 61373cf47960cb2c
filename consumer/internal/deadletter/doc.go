// Package deadletter writes dead letters to Kafka topics: what stands in their headers (pure), the writer on sarama's
// producer, and the look at start-up whether the topics are there.
package deadletter
