package source

import (
	"time"

	"github.com/IBM/sarama"
)

// ask is what a request asks for on behalf of one partition.
type ask struct {
	p     *partition
	turn  uint64
	from  int64
	most  int // bytes on the wire
	usual int // what it would be if the partition were not looked at closely
}

// request is one fetch.
type request struct {
	fetch *sarama.FetchRequest
	asks  []ask
	apart bool // for one partition in seclusion
	crowd int  // how often over the asks fill an answer
}

func (r *request) partitions() []*partition {
	ps := make([]*partition, len(r.asks))
	for i := range r.asks {
		ps[i] = r.asks[i].p
	}
	return ps
}

// build makes the next request: for every partition that has room, or for one that is asked for apart. A partition
// that is left out is paused; that is all of pausing.
func (l *lane) build(now time.Time) *request {
	l.look()
	o := &l.source.options
	r := &request{asks: l.asks[:0]}
	wait := o.MaxWait
	var secluded []ask
	for _, p := range l.list {
		w := p.wish()
		if w.room <= 0 {
			if p.troubled {
				l.source.leftOut(p)
			}
			wait = min(wait, p.patience(w.room, now, o))
			continue
		}
		p.heldAt = time.Time{}
		a := ask{p: p, turn: w.turn, from: w.from, usual: p.appetite.ask(w.room, o.PartitionBytes)}
		a.most = p.seclusion.cap(a.usual)
		if p.seclusion.apart {
			secluded = append(secluded, a)
		} else {
			r.asks = append(r.asks, a)
		}
	}
	if len(secluded) > 0 { // they and the others take turns, and nobody waits for a record to be produced
		wait = 0
		if l.common || len(r.asks) == 0 {
			l.turn++
			r.asks = append(r.asks[:0], secluded[l.turn%len(secluded)])
			r.apart = true
		}
	}
	l.common = !r.apart
	r.fetch = &sarama.FetchRequest{
		Version: fetchVersion(o.Config.Version), MinBytes: 1, MaxBytes: int32(o.MaxBytes), MaxWaitTime: int32(wait.Milliseconds()),
		Isolation: o.Isolation.level(), SessionEpoch: -1, // no fetch session (KIP-227)
	}
	l.asks = r.asks
	total := 0
	for i := range r.asks {
		a := &r.asks[i]
		total += a.most
		r.fetch.AddBlock(a.p.claim.Topic, a.p.claim.Partition, a.from, int32(a.most), a.p.epoch)
	}
	r.crowd = total / o.MaxBytes
	return r
}

// look follows the changes of the lane's partitions.
func (l *lane) look() {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.changed {
		return
	}
	l.changed = false
	clear(l.asks[:cap(l.asks)]) // a partition that has gone must not stay in memory with its backlog
	clear(l.list)
	l.list = l.list[:0]
	for p := range l.parts {
		l.list = append(l.list, p)
	}
}

// patience is how long the lane may long-poll without this partition, which has no room.
//
// The refill trap: a full partition misses a request, which then waits for records of the idle ones beside it, while
// the backlog runs empty: a backlog of 1,000 records and a wait of 500 ms make 2,000 records a second. A backlog
// that was full reports room again at half. To get there it took as long as it has been full, and as much work is
// left: half of that time can be waited without starving the handler. A partition that is paused for long has no
// handler to starve.
func (p *partition) patience(room int, now time.Time, o *Options) time.Duration {
	if room < 0 || o.longPolls {
		p.heldAt = time.Time{}
		return o.MaxWait
	}
	if p.heldAt.IsZero() {
		p.heldAt = now
	}
	return max(o.hold, now.Sub(p.heldAt)/2)
}

// fetchVersion is the highest version of the request that the configured Kafka knows and sarama can make; a broker
// that knows less gets less. Version 4 is the least that tells transactions apart.
func fetchVersion(v sarama.KafkaVersion) int16 {
	for _, known := range []struct {
		since   sarama.KafkaVersion
		version int16
	}{
		{sarama.V2_7_0_0, 12},
		{sarama.V2_3_0_0, 11},
		{sarama.V2_1_0_0, 10}, // zstd
		{sarama.V2_0_0_0, 8},
		{sarama.V1_1_0_0, 7},
		{sarama.V1_0_0_0, 6},
	} {
		if v.IsAtLeast(known.since) {
			return known.version
		}
	}
	return 4
}
