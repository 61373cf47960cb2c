// Package consumer is Ottla's face: it consumes Kafka topics as a member of a group, with one supervised actor
// per partition.
//
//	func handle(ctx context.Context, rec *consumer.Record, o Order) error { … }
//
//	c, err := consumer.New(consumer.Config{
//		Brokers: []string{"localhost:9092"},
//		Group:   "billing",
//		Topics:  []string{"orders"},
//		Handler: consumer.JSON(handle),
//	})
//	if err != nil {
//		log.Fatal(err) // every fault of the configuration at once
//	}
//	err = c.RunUntilSignal(ctx)
//
// # What a handler answers
//
// nil finishes the record: its offset is committed. Any other error, and a panic, is a failure for the
// [supervisor.Policy]: by default the same record is delivered again, later and later, for ever, while all other
// partitions run on. [messages.SeekTo] and [messages.RetryAfter] are answers with a meaning of their own.
//
// # Two ways to use it
//
// Without knowing actors: New and Run, as above. Inside an application of actors: Props gives ordinary
// *actor.Props, whose actor leaves the group before it ends when it is sent a poison pill. A [Handler] is
// called for the records of a partition one after the other; in its place, [Config.Actor] makes an actor of
// your own per partition, which gets records and lifecycle as messages.
//
// # Configuration
//
// The zero value of every optional field of [Config] is the default that stands in its comment;
// [Config.Validate] reports all faults together. [ConfigFromEnv] reads what may differ from one installation to
// the next from the environment.
package consumer
