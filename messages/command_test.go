package messages

import "testing"

func TestTarget(t *testing.T) {
	head := Head{Topic: "orders", Partition: 3, Offset: 1042}
	for _, c := range []Command{&RetryHead{Head: head, By: "k"}, &SkipHead{Head: head, By: "k"}} {
		if got := Target(c); got != head {
			t.Errorf("%T is meant for %+v", c, got)
		}
	}
}
