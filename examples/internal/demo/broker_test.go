package demo

import (
	"slices"
	"testing"
)

func TestAddresses(t *testing.T) {
	if got := Addresses(" a:9092, b:9092 ,\n"); !slices.Equal(got, []string{"a:9092", "b:9092"}) {
		t.Errorf("got %q", got)
	}
}
