// Package deadletters reads the dead letters that consumers have written to Kafka topics, and replays them: it writes their
// records to the topics that they came from, once what was wrong has been put right. The command ottla is made of it.
//
//	client, err := deadletters.Open(consumer.Config{Brokers: brokers})
//	…
//	defer client.Close()
//	report, err := client.Replay(ctx, "orders.dlt", deadletters.Replay{Filter: deadletters.Filter{Class: "Handler"}, Write: true})
//
// # What a replay writes
//
// Key, value and headers of the record, as they were, to the partition that it came from where the topic has it, else to one by
// the key. The time is that of the replay. The headers of the letter that say where the record came from stay, with the count
// of its dead letters; those about the failure do not. One header is added, [ReplayOf], with the place of the letter: that
// makes a replayed record recognisable, and a second replay of the same letter a no-op. For before it writes, Replay
// reads what was written to those topics since the oldest of the letters. So a replay that was cut short is simply run
// again.
//
// Two things follow. Every group that reads the topic gets the record again, not only the one that failed at it. And what
// retention or compaction has removed from the topic since an earlier replay is not known to be there.
//
// Nothing is removed from the topic of the dead letters; its retention does that.
package deadletters
