package member

import (
	"errors"
	"time"
)

// do carries one action out.
func (p *proc) do(now instant, a action) {
	switch a := a.(type) {
	case useCoordinator:
		p.move(a.addr)
	case identify:
		p.place.Become(a.member, a.generation)
		p.commits.poke()
	case assign:
		for _, at := range a.tps {
			p.assigned(at)
		}
	case revoke:
		for _, at := range a.tps {
			p.revoked(now, p.live[at], a.by)
		}
	case lose:
		for _, at := range a.tps {
			p.lost(p.live[at], a.err)
		}
	case fail:
		p.failed(a.err)
	case end:
		p.kill()
	default:
		p.ask(a)
	}
}

// ask makes the request that the machine wants.
func (p *proc) ask(a action) {
	const limit = 5 * time.Second
	switch a := a.(type) {
	case findCoordinator:
		p.call(findWire, apiFind, limit, nil, func(r reply) {
			addr, _ := r.body.(string)
			p.feed(found{seq: a.seq, addr: addr, err: r.fault()})
		})
	case sendJoin:
		long := limit
		if a.member != "" || p.instance != "" {
			long = joinLimit(p.m.rebalance, limit)
		}
		p.astray++
		p.call(joinWire, apiJoin, long, joinRequest{a.member, p.instance, a.generation, a.owned}, func(r reply) {
			j, _ := r.body.(joinReply)
			p.feed(joined{
				seq: a.seq, err: r.fault(), timedOut: r.timedOut, member: j.member, generation: j.generation,
				protocol: "p", leader: j.leader, members: j.seats,
			})
		})
	case makePlan:
		d := p.jitter()
		if len(p.slowPlans) > 0 {
			d, p.slowPlans = p.slowPlans[0], p.slowPlans[1:]
		}
		p.after(d, func() {
			seats, _ := a.members.([]seat)
			if len(seats) == 0 { // as with KIP-814: somebody else has it
				p.feed(planned{seq: a.seq, err: errors.New("no members")})
				return
			}
			shares, withheld := divide(seats, p.s.partitions, p.m.cooperative, a.generation)
			p.feed(planned{seq: a.seq, plan: shares, withheld: withheld})
		})
	case sendSync:
		sent := p.clock()
		shares, _ := a.plan.(map[string][]tp)
		p.call(joinWire, apiSync, syncLimit(p.m.rebalance, limit), syncRequest{a.member, p.instance, a.generation, shares}, func(r reply) {
			share, _ := r.body.([]tp)
			p.feed(synced{a.seq, sent, r.fault(), share})
		})
	case sendHeartbeat:
		sent := p.clock()
		p.call(beatWire, apiBeat, limit, memberRequest{a.member, p.instance, a.generation}, func(r reply) { p.feed(beaten{a.seq, sent, r.fault()}) })
	case sendLeave:
		p.call(beatWire, apiLeave, limit, memberRequest{a.member, p.instance, -1}, func(r reply) { p.feed(left{a.seq, r.fault()}) })
	}
}
