package consumer

import (
	"fmt"

	"github.com/IBM/sarama"
)

// Balance is a way to share out partitions: an assignor, in Kafka's words. It has no zero value.
//
// To move a group from one to another without stopping it, deploy the new one before the old one in a list first, for
// example [CooperativeSticky, Range], and drop the old one once every member lists both. Of what all members list the
// group uses what most of them prefer: the old one as long as some list only that, then the new one. A member
// with an eager one in its list gives up all partitions in each rebalance, whichever is used.
type Balance uint8

const (
	// CooperativeSticky moves only the partitions that must move, while all others run on (KIP-429).
	CooperativeSticky Balance = iota + 1
	// Range gives each member a run of neighbouring partitions of each topic. Eager. It is sarama's default.
	Range
	// RoundRobin deals the partitions of all topics out one by one. Eager.
	RoundRobin
	// Sticky keeps partitions where they were, as far as that is fair. Eager.
	Sticky
)

var balanceNames = [...]string{
	CooperativeSticky: sarama.CooperativeStickyBalanceStrategyName,
	Range:             sarama.RangeBalanceStrategyName,
	RoundRobin:        sarama.RoundRobinBalanceStrategyName,
	Sticky:            sarama.StickyBalanceStrategyName,
}

// Valid says whether b is one of the constants.
func (b Balance) Valid() bool { return b >= CooperativeSticky && b <= Sticky }

// String is the assignor's name, as members tell it to each other: cooperative-sticky, range, roundrobin, sticky.
func (b Balance) String() string {
	if !b.Valid() {
		return unknown("Balance", b)
	}
	return balanceNames[b]
}

// strategies are sarama's implementations, made anew: they carry state, one set per membership.
func strategies(list []Balance) []sarama.BalanceStrategy {
	made := make([]sarama.BalanceStrategy, 0, len(list))
	for _, b := range list {
		switch b {
		case CooperativeSticky:
			made = append(made, sarama.NewBalanceStrategyCooperativeSticky())
		case Range:
			made = append(made, sarama.NewBalanceStrategyRange())
		case RoundRobin:
			made = append(made, sarama.NewBalanceStrategyRoundRobin())
		case Sticky:
			made = append(made, sarama.NewBalanceStrategySticky())
		}
	}
	return made
}

// unknown is the text of a number that is no constant of its enum.
func unknown[T ~uint8](kind string, value T) string { return fmt.Sprintf("%s(%d)", kind, uint8(value)) }
