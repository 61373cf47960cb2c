package messages

import "testing"

func TestTarget(t *testing.T) {
	head := Head{Topic: "orders", Partition: 3, Offset: 1042}
	for _, c := range []Command{&RetryHead{Head: head}, &SkipHead{Head: head}, &DeadLetterHead{Head: head}, &ParkHead{Head: head}} {
		if got := Target(c); got != head {
			t.Errorf("%T is meant for %+v", c, got)
		}
	}
	for _, c := range []Command{&Pause{Topic: "orders", Partitions: []int32{3}}, &Resume{Topic: "orders"}} {
		if got := Target(c); got != (Head{"orders", -1, -1}) {
			t.Errorf("%T is meant for %+v", c, got)
		}
	}
}
