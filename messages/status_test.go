package messages

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestCountersAddEveryField(t *testing.T) {
	var one, sum Counters
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(i + 1))
	}
	sum.Add(one)
	sum.Add(one)
	for i := range v.NumField() {
		if got := reflect.ValueOf(sum).Field(i).Int(); got != 2*int64(i+1) {
			t.Errorf("%s is %d, want %d", v.Type().Field(i).Name, got, 2*(i+1))
		}
	}
}

func TestStatusAsJSON(t *testing.T) {
	s := Status{
		Group: "g", Phase: "member",
		Partitions: []PartitionStatus{{
			State: StateHolding, Head: 7, Lag: -1,
			Failure:  &Failure{Topic: "orders", Class: ClassPanic, Err: errors.New("x"), Key: []byte("k")},
			Decision: &Decision{Action: ActionRestart, Delay: time.Second},
		}},
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state":"Holding"`, `"class":"Panic"`, `"action":"Restart"`, `"lag":-1`, `"head":7`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	for _, unwanted := range []string{"openSince", "nextRetry", "committedAt", `"k"`, "Key"} {
		if strings.Contains(string(text), unwanted) {
			t.Errorf("%s in %s", unwanted, text)
		}
	}
	var back Status
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if p := back.Partitions[0]; p.State != StateHolding || p.Failure.Class != ClassPanic || p.Decision.Action != ActionRestart {
		t.Errorf("came back as %+v", p)
	}
}
