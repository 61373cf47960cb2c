package actors

import (
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Snapshot is the partition's status. It never waits for user code. OpenSince is when somebody first saw what is under
// way.
func (m *Mailbox) Snapshot() messages.PartitionStatus {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := messages.PartitionStatus{
		Claim: m.set.Claim, State: m.state(now), Head: -1, Depth: m.backlog.Unfinished(), Bytes: int64(m.backlog.Bytes()),
		Incarnation: m.incarnation, Lag: -1, Committed: -1, Counters: m.counters,
		Failure: m.failure, Error: m.failed, Decision: m.decision,
	}
	if m.opened {
		s.Head, s.Attempt = m.backlog.Next(), m.backlog.Attempts()
		if m.extent.HighWater > 0 || m.extentOf > 0 {
			s.Lag = max(0, m.extent.HighWater-s.Head)
		}
	}
	switch g := m.backlog.Gate(); g.Kind {
	case Holding:
		s.NextRetry = g.Until
	case Parked:
		s.Reason = g.Reason
	case Open:
		if s.State == messages.StateHolding {
			s.Reason = messages.ReasonBreaker
		}
	}
	s.PausedBy, s.PausedSince = m.pause.By, m.pause.Since
	s.Shed, s.ShedFrom = m.backlog.shed.Records, m.backlog.shed.From
	if r := m.attempt.record; r != nil {
		s.Attempt = r.Attempt
	}
	s.OpenSince, _ = m.look(now)
	return s
}

func (m *Mailbox) state(now time.Time) messages.State {
	switch gate := m.backlog.Gate().Kind; {
	case m.backlog.Stopping():
		return messages.StateStopping
	case m.isStuck(now):
		return messages.StateStuck
	case m.attempt.record != nil || m.awaitAck || m.fault != nil:
		return messages.StateBusy
	case gate == Parked:
		return messages.StateParked
	case m.backlog.Paused() && m.opened:
		return messages.StatePaused
	case gate == Holding:
		return messages.StateHolding
	case m.stopped: // by itself; to be spawned again
		return messages.StateStopping
	case !m.opened || m.backlog.Awaiting() && m.extentOf != m.backlog.seek:
		return messages.StateAwaitingSeek
	case m.backlog.Unfinished() > 0 && m.set.Breaker.bars(m):
		return messages.StateHolding
	case m.backlog.Unfinished() > 0:
		return messages.StateBusy
	}
	return messages.StateIdle
}
