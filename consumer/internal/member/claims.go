package member

import (
	"sync/atomic"

	"github.com/ottla-go/ottla/messages"
)

// sequence numbers the claims of the whole process: actors are named by it, and a name must never come again.
var sequence atomic.Uint64

// claims turns the machine's partitions into claims and back. The machine knows a partition; the world knows one
// ownership of it, and a late release of an earlier one must not release the one of now.
type claims struct {
	group string
	live  map[tp]messages.Claim
	asked map[tp]bool // told to be given up
}

func newClaims(group string) *claims {
	return &claims{group: group, live: map[tp]messages.Claim{}, asked: map[tp]bool{}}
}

func (c *claims) assign(tps []tp, member string, generation int32) []messages.Claim {
	all := make([]messages.Claim, 0, len(tps))
	for _, p := range tps {
		mc := messages.Claim{
			Group: c.group, Member: member, Topic: p.topic, Partition: p.partition,
			Generation: generation, Sequence: sequence.Add(1),
		}
		c.live[p] = mc
		all = append(all, mc)
	}
	return all
}

func (c *claims) revoke(tps []tp) []messages.Claim {
	for _, p := range tps {
		c.asked[p] = true
	}
	return c.of(tps)
}

func (c *claims) lose(tps []tp) []messages.Claim {
	all := c.of(tps)
	c.forget(tps)
	return all
}

// released keeps what is ours and was to be given up, and forgets it.
func (c *claims) released(list []messages.Claim) []tp {
	var tps []tp
	for _, mc := range list {
		p := tp{mc.Topic, mc.Partition}
		if c.live[p].Sequence == mc.Sequence && c.asked[p] {
			tps = append(tps, p)
		}
	}
	c.forget(tps)
	return tps
}

func (c *claims) of(tps []tp) []messages.Claim {
	all := make([]messages.Claim, 0, len(tps))
	for _, p := range tps {
		all = append(all, c.live[p])
	}
	return all
}

func (c *claims) forget(tps []tp) {
	for _, p := range tps {
		delete(c.live, p)
		delete(c.asked, p)
	}
}
