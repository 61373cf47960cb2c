package source

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// worry notes a failed attempt, and a notice when it is time for one: when the partition has not been readable for
// long, and no notice is out about its topic. It needs mu.
func (s *Source) worry(p *partition, now time.Time, err error) {
	if p.since.IsZero() {
		p.since = now
	}
	if p.noticed || now.Sub(p.since) < s.options.noticeAfter {
		return
	}
	p.noticed = true
	if s.troubled[p.claim.Topic]++; s.troubled[p.claim.Topic] > 1 {
		return
	}
	waited := now.Sub(p.since).Round(time.Second)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		err = fmt.Errorf("ottla: the topic %q or its partition %d has been unknown to the cluster for %v; "+
			"create it, or correct the name: it is not created by asking for it: %w", p.claim.Topic, p.claim.Partition, waited, err)
	} else {
		err = fmt.Errorf("ottla: %s/%d could not be read for %v; still trying: %w", p.claim.Topic, p.claim.Partition, waited, err)
	}
	s.notices = append(s.notices, err)
}

// leftOut says that nobody tries to read the partition, which has no room or waits for a Seek: that is no trouble, and
// an attempt that fails after it is the first of a new one.
func (s *Source) leftOut(p *partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.since = time.Time{}
}

// calm forgets the failed attempts, and notes when no notice is left with that. It needs mu.
func (s *Source) calm(p *partition) {
	p.fails, p.since, p.retryAt = 0, time.Time{}, time.Time{}
	if !p.noticed {
		return
	}
	p.noticed = false
	if s.troubled[p.claim.Topic]--; s.troubled[p.claim.Topic] > 0 {
		return
	}
	delete(s.troubled, p.claim.Topic)
	if len(s.troubled) == 0 {
		s.notices = append(s.notices, nil)
	}
}

// readable is called by a lane when a partition that had failed was read.
func (s *Source) readable(p *partition) {
	s.mu.Lock()
	s.calm(p)
	s.mu.Unlock()
	s.tell()
}

// tell hands out the notices in the order in which they were noted under mu: two lanes that told theirs at once
// could leave an error standing behind the nil that cleared it.
func (s *Source) tell() {
	s.telling.Lock()
	defer s.telling.Unlock()
	for {
		s.mu.Lock()
		if len(s.notices) == 0 {
			s.mu.Unlock()
			return
		}
		n := s.notices[0]
		s.notices = s.notices[1:]
		s.mu.Unlock()
		s.options.Notice(n)
	}
}
