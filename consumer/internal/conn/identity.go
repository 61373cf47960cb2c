package conn

// Identity is what a group request must carry: who the coordinator believes us to be.
// Two identities are equal while neither the membership nor the coordinator's connections have changed.
type Identity struct {
	Member     string // the member id; "" while there is none
	Generation int32  // -1 while there is none
	Instance   string // group.instance.id of a static member (KIP-345), else ""

	// epoch counts the coordinators: a report about an earlier one says nothing about the one of now.
	epoch uint64
}

// Valid says that a request can carry it.
func (id Identity) Valid() bool { return id.Member != "" && id.Generation >= 0 }

// InstanceID is Instance as sarama's requests want it: nil for a dynamic member.
func (id Identity) InstanceID() *string {
	if id.Instance == "" {
		return nil
	}
	return &id.Instance
}
