package conn

import (
	"cmp"
	"context"
	"slices"

	"github.com/IBM/sarama"
)

// Metadata is what a broker says about topics.
type Metadata struct {
	// Topics has every topic that was asked for.
	Topics map[string]Topic
	// Brokers are the live brokers' addresses by node id.
	Brokers map[int32]string
}

// Topic is one topic's metadata.
type Topic struct {
	// Err is nil or a sarama.KError: UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, INVALID_TOPIC_EXCEPTION, …
	Err error
	// Partitions ascend by ID. They are there also when they have no leader at the moment.
	Partitions []Partition
}

// Partition is one partition's metadata.
type Partition struct {
	ID          int32
	Leader      int32  // node id; -1: none at the moment
	LeaderAddr  string // "" when there is none, or it is not among the live brokers
	LeaderEpoch int32  // -1: the broker is too old to say
	Err         error  // nil or a sarama.KError: LEADER_NOT_AVAILABLE, …
}

// Topics asks any broker about the named topics, which it does not create by asking. The names must not be
// none: Kafka would take that for all. Brokers it names are remembered.
func (c *Cluster) Topics(ctx context.Context, names ...string) (*Metadata, error) {
	if len(names) == 0 {
		return &Metadata{}, nil
	}
	request := func() *sarama.MetadataRequest { // one for each broker: sarama lowers its version to what that offers
		q := sarama.NewMetadataRequest(c.settings.Version, slices.Clone(names))
		q.AllowAutoTopicCreation = false
		return q
	}
	p, err := Ask(ctx, c, func(cn Conn) (*sarama.MetadataResponse, error) {
		p, err := cn.GetMetadata(request())
		if err == nil && len(p.Brokers) == 0 {
			err = sarama.ErrBrokerNotAvailable // a broker that is just starting knows nobody, and no topic either
		}
		return p, err
	})
	if err != nil {
		return nil, err
	}
	return c.read(p, names), nil
}

func (c *Cluster) read(p *sarama.MetadataResponse, names []string) *Metadata {
	m := &Metadata{Topics: map[string]Topic{}, Brokers: map[int32]string{}}
	var addrs []string
	for _, b := range p.Brokers {
		m.Brokers[b.ID()] = b.Addr()
		addrs = append(addrs, b.Addr())
	}
	c.learn(addrs)
	for _, n := range names {
		m.Topics[n] = Topic{Err: sarama.ErrUnknownTopicOrPartition}
	}
	for _, t := range p.Topics {
		top := Topic{Err: AsError(t.Err)}
		for _, q := range t.Partitions {
			part := Partition{ID: q.ID, Leader: q.Leader, LeaderEpoch: q.LeaderEpoch, Err: AsError(q.Err), LeaderAddr: m.Brokers[q.Leader]}
			if p.Version < 7 {
				part.LeaderEpoch = -1
			}
			top.Partitions = append(top.Partitions, part)
		}
		slices.SortFunc(top.Partitions, func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) })
		if top.Err == sarama.ErrLeaderNotAvailable && len(top.Partitions) > 0 { //nolint:errorlint // it is one of ours, bare
			top.Err = nil // of the partitions, each says so itself
		}
		m.Topics[t.Name] = top
	}
	return m
}

// Coordinator asks any broker for the address of a group's coordinator.
func (c *Cluster) Coordinator(ctx context.Context, group string) (addr string, err error) {
	return Ask(ctx, c, func(cn Conn) (string, error) {
		p, err := cn.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 3, CoordinatorKey: group, CoordinatorType: sarama.CoordinatorGroup})
		switch {
		case err != nil:
			return "", err
		case p.Err != sarama.ErrNoError:
			return "", p.Err
		case p.Coordinator == nil:
			return "", sarama.ErrConsumerCoordinatorNotAvailable
		default:
			return p.Coordinator.Addr(), nil
		}
	})
}

// AsError is nil for NONE, else the code.
func AsError(k sarama.KError) error {
	if k == sarama.ErrNoError {
		return nil
	}
	return k
}
