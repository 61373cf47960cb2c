package consumer

import (
	"testing"

	"github.com/IBM/sarama"
)

func TestBalanceNamesAreThoseOfTheStrategies(t *testing.T) {
	all := []Balance{CooperativeSticky, Range, RoundRobin, Sticky}
	made := strategies(all)
	if len(made) != len(all) {
		t.Fatalf("%d strategies for %d names", len(made), len(all))
	}
	for i, b := range all {
		if made[i].Name() != b.String() {
			t.Errorf("%v makes %s", b, made[i].Name())
		}
		_, cooperative := made[i].(interface {
			SupportedProtocols() []sarama.RebalanceProtocol
		})
		if cooperative != (b == CooperativeSticky) {
			t.Errorf("%v: cooperative is %v", b, cooperative)
		}
	}
	if strategies(all[:1])[0] == strategies(all[:1])[0] {
		t.Error("two memberships share a strategy and its state")
	}
	if Balance(0).Valid() || Balance(5).Valid() || Balance(5).String() != "Balance(5)" {
		t.Error("a number that is no constant is valid")
	}
}
