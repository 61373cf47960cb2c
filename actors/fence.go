package actors

// Fence is what the offset store issued for the claim; 0 without a store.
func (m *Mailbox) Fence() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fence
}
