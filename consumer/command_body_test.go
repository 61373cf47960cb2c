package consumer

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

func decoded(name, body string) (messages.Command, error) { return decodeCommand(name, []byte(body)) }

func TestDecodeCommand(t *testing.T) {
	head := messages.Head{Topic: "orders", Partition: 3, Offset: 1042}
	for _, c := range []struct {
		name, body string
		want       messages.Command
	}{
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042}`, &messages.RetryHead{Head: head}},
		{"RetryHead", `{"topic":"orders","partition":0,"offset":-1}`, &messages.RetryHead{Head: messages.Head{Topic: "orders", Offset: -1}}},
		{"SkipHead", ` { "offset" : 1042 , "partition" : 3 , "topic" : "orders" } ` + "\n", &messages.SkipHead{Head: head}},
		{"DeadLetterHead", `{"topic":"orders","partition":3,"offset":1042,"to":"orders.dlt"}`, &messages.DeadLetterHead{Head: head, To: "orders.dlt"}},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042}`, &messages.ParkHead{Head: head}},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042,"reason":"Žádný \u010das"}`, &messages.ParkHead{Head: head, Reason: "Žádný čas"}},
		{"Pause", `{"topic":"orders"}`, &messages.Pause{Topic: "orders"}},
		{"Pause", `{"topic":"orders","partitions":[3,0]}`, &messages.Pause{Topic: "orders", Partitions: []int32{3, 0}}},
		{"Resume", `{"topic":"orders","partitions":[3]}`, &messages.Resume{Topic: "orders", Partitions: []int32{3}}},
	} {
		got, err := decoded(c.name, c.body)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: %+v, %v", c.name, c.body, got, err)
		}
	}
	if len(commandFields) != 6 {
		t.Error("a command is not tested")
	}
}

// What an operator has mistyped is refused, and not guessed: it would be another record.
func TestCommandsThatAreNotGuessed(t *testing.T) {
	for _, c := range []struct{ name, body, text string }{
		{"RetryHead", ``, "not JSON"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042}{}`, "not JSON"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042`, "not JSON"},
		{"RetryHead", "{\"topic\":\"\xff\",\"partition\":3,\"offset\":1042}", "not JSON"},
		{"RetryHead", `["topic","orders"]`, "object"},
		{"RetryHead", `"topic"`, "object"},
		{"RetryHead", `null`, "object"},
		{"RetryHead", `{}`, "topic is missing"},
		{"RetryHead", `{"topic":"orders","partition":3}`, "offset is missing"},
		{"RetryHead", `{"topic":"orders","offset":1042}`, "partition is missing"},
		{"DeadLetterHead", `{"topic":"orders","partition":3,"offset":1042}`, "to is missing"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042,"by":"root"}`, `no field "by"`},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042,"By":"root"}`, `no field "By"`},
		{"RetryHead", `{"Topic":"orders","partition":3,"offset":1042}`, `no field "Topic"`},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042,"to":"x"}`, `no field "to"`},
		{"Pause", `{"topic":"orders","partition":3}`, `no field "partition"`},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042,"Reason":"x"}`, `no field "Reason"`},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042,"offset":1043}`, "offset is said twice"},
		{"RetryHead", `{"topic":null,"partition":3,"offset":1042}`, "topic: null"},
		{"Pause", `{"topic":"orders","partitions":null}`, "partitions: null"},
		{"Pause", `{"topic":"orders","partitions":[]}`, "partitions: it is empty"},
		{"Pause", `{"topic":"orders","partitions":3}`, "list"},
		{"Pause", `{"topic":"orders","partitions":[null]}`, "whole number"},
		{"Pause", `{"topic":"orders","partitions":[1,-1]}`, "whole number"},
		{"Pause", `{"topic":"orders","partitions":["1"]}`, "whole number"},
		{"RetryHead", `{"topic":"","partition":3,"offset":1042}`, "topic: it is empty"},
		{"RetryHead", `{"topic":3,"partition":3,"offset":1042}`, "text"},
		{"RetryHead", `{"topic":"orders","partition":-1,"offset":1042}`, "partition: it has to be"},
		{"RetryHead", `{"topic":"orders","partition":2147483648,"offset":1042}`, "partition: it has to be"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":-2}`, "offset: it has to be"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":9223372036854775808}`, "offset: it has to be"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":1042.5}`, "offset: it has to be"},
		{"RetryHead", `{"topic":"orders","partition":3,"offset":"1042"}`, "offset: it has to be"},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042,"reason":"a\nready"}`, "control"},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042,"reason":"\ud800"}`, "control"},
		{"ParkHead", `{"topic":"orders","partition":3,"offset":1042,"reason":"` + strings.Repeat("x", 1001) + `"}`, "longer than 1000"},
		{"Drain", `{}`, "no command"},
	} {
		if cmd, err := decoded(c.name, c.body); err == nil || !strings.Contains(err.Error(), c.text) || cmd != nil {
			t.Errorf("%s %.80s: %+v, %v; want %q in it", c.name, c.body, cmd, err, c.text)
		}
	}
	if _, err := decoded("ParkHead", `{"topic":"orders","partition":3,"offset":1042,"reason":"`+strings.Repeat("x", 1000)+`"}`); err != nil {
		t.Error(err)
	}
}

// Whatever a body is, it makes no panic; what is taken means one thing only, says nothing of who asks, and is no more than
// what its fields can be.
func FuzzDecodeCommand(f *testing.F) {
	for name := range commandFields {
		f.Add(name, `{"topic":"orders","partition":3,"offset":1042}`)
		f.Add(name, `{"topic":"orders","partition":3,"offset":1042,"to":"orders.dlt","reason":"x","by":"root"}`)
		f.Add(name, `{"topic":"orders","partitions":[0,3]}`)
		f.Add(name, `{"topic":"orders","partitions":[null],"topic":"orders"}`)
		f.Add(name, `{"topic":"a\u0000b","partitions":[1e1,-0]}`)
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		_, known := commandFields[name]
		cmd, err := decoded(name, body)
		if err != nil {
			return
		}
		if !known || !json.Valid([]byte(body)) {
			t.Fatalf("%s %q was taken", name, body)
		}
		head := messages.Target(cmd)
		again := map[string]any{"topic": head.Topic, "partition": head.Partition, "offset": head.Offset}
		switch c := cmd.(type) {
		case *messages.DeadLetterHead:
			again["to"] = c.To
		case *messages.ParkHead:
			again["reason"] = c.Reason
		case *messages.Pause:
			again = map[string]any{"topic": c.Topic, "partitions": c.Partitions}
			if c.Partitions == nil {
				delete(again, "partitions")
			}
		case *messages.Resume:
			again = map[string]any{"topic": c.Topic, "partitions": c.Partitions}
			if c.Partitions == nil {
				delete(again, "partitions")
			}
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeCommand(name, text)
		if err != nil || !reflect.DeepEqual(back, cmd) {
			t.Fatalf("%q is %+v, and said once more (%s) it is %+v, %v", body, cmd, text, back, err)
		}
		if printed := fmt.Sprintf("%+v", cmd); !strings.Contains(printed, "By:}") {
			t.Fatalf("%q says who asks: %s", body, printed)
		}
	})
}
