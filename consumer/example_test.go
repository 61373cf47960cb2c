package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/supervisor"
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

// One consumer, two topics that are not alike: for payments the order matters, so that nothing may be passed over, and a call
// may take its time. What a Topic does not say is inherited; its key is subscribed to.
func ExampleTopic() {
	cfg := consumer.Config{
		Brokers: []string{"localhost:9092"}, Group: "shop", Topics: []string{"clicks"},
		Handler: consumer.JSON(charge),
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Decode(), supervisor.Skip()),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick()).Times(5), supervisor.DeadLetter("clicks.dlt")),
		},
		HandlerTimeout: time.Second,
		PerTopic: map[string]consumer.Topic{
			"payments": {
				Policy: supervisor.Policy{
					supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick()).Times(5), supervisor.Park("order is needed")),
				},
				HandlerTimeout: time.Minute,
			},
		},
	}
	fmt.Println(cfg.Validate())

	cfg.PerTopic["refunds"] = consumer.Topic{Policy: supervisor.Policy{supervisor.On(supervisor.Topic("refund"), supervisor.Skip())}}
	fmt.Println(cfg.Validate())
	// Output:
	// <nil>
	// ottla: Config.PerTopic["refunds"].Policy: policy rule 1 (topic refund): Topic(["refund"]) matches nothing, because the policy is for "refunds" alone: correct the name, or remove the rule
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
