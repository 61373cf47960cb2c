package consumer_test

import (
	"context"
	"fmt"

	"github.com/ottla-go/ottla/consumer"
)

type Order struct {
	ID    string
	Cents int
}

func charge(_ context.Context, rec *consumer.Record, o Order) error {
	fmt.Println("charged", o.ID, o.Cents, "for", rec)
	return nil
}

// A handler of decoded values is a function like any other: a unit test calls it with a literal.
func ExampleJSON() {
	handler := consumer.JSON(charge)
	fmt.Println(handler(context.Background(), &consumer.Record{Topic: "orders", Partition: 3, Offset: 1042, Value: []byte(`{"ID":"o-1","Cents":7}`)}))
	fmt.Println(handler(context.Background(), &consumer.Record{Topic: "orders"}))
	// Output:
	// charged o-1 7 for orders/3@1042
	// <nil>
	// ottla: cannot decode the record's value: the record has no value (a tombstone), and consumer_test.Order cannot be absent: use *consumer_test.Order to accept it
}

// Everything that is wrong is said at once.
func ExampleConfig_Validate() {
	err := consumer.Config{
		Brokers: []string{"kafka"},
		Topics:  []string{"orders"},
		Handler: consumer.JSON(charge),
		Backlog: consumer.Backlog{Records: -1},
	}.Validate()
	fmt.Println(err)
	// Output:
	// ottla: Config.Brokers[0] = "kafka": it is no address: give host:port, for example "localhost:9092"
	// ottla: Config.Group = "": there is no group: name the consumer group
	// ottla: Config.Backlog.Records = -1: it is below 1: use 1 or more, or 0 for the default
}

// In a program the argument is os.Getenv.
func ExampleConfigFromEnv() {
	env := map[string]string{
		"KAFKA_BROKER_ADDRESSES": "kafka-1:9092,kafka-2:9092",
		"KAFKA_GROUP_ID":         "billing",
		"KAFKA_POLLING_TIMEOUT":  "250",
		"KAFKA_POLL_BATCH_SIZE":  "100",
	}
	cfg, err := consumer.ConfigFromEnv(func(name string) string { return env[name] })
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Topics, cfg.Handler = []string{"orders"}, consumer.JSON(charge)
	fmt.Println(cfg.Brokers, cfg.Group, cfg.Fetch.MaxWait, cfg.Validate())
	fmt.Println(cfg.Warnings())
	// Output:
	// [kafka-1:9092 kafka-2:9092] billing 250ms <nil>
	// [ottla: KAFKA_POLL_BATCH_SIZE="100" has no effect: there is no poll; Config.Fetch bounds what is fetched in bytes: unset it]
}
