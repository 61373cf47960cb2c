package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// Cluster is asked about topics, which it does not create by asking.
type Cluster interface {
	Topics(ctx context.Context, names ...string) (*conn.Metadata, error)
}

// Topics is what has to be there before a consumer joins its group.
type Topics struct {
	Targets []string
	Cluster Cluster
	// Create makes topics that are not there; nil: they are asked for by an error.
	Create func(ctx context.Context, names []string) error
	Notice func(error) // what is waited for; nil clears it
}

// check answers nil when all are there; again: ask again later, nobody knows.
func (t *Topics) check(ctx context.Context) (again bool, err error) {
	m, err := t.Cluster.Topics(ctx, t.Targets...)
	if err != nil {
		return true, fmt.Errorf("the topics of dead letters cannot be looked up: %w", err)
	}
	var missing []string
	var faults []error
	for _, name := range t.Targets {
		switch err := m.Topics[name].Err; {
		case err == nil:
		case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
			missing = append(missing, name)
		case errors.Is(err, sarama.ErrTopicAuthorizationFailed):
			faults = append(faults, fmt.Errorf("ottla: the topic %s of dead letters: %w: allow this user to describe it and to write to it", name, err))
		case errors.Is(err, sarama.ErrInvalidTopic):
			faults = append(faults, fmt.Errorf("ottla: the topic %s of dead letters: %w: correct the name in the policy", name, err))
		default:
			return true, fmt.Errorf("the topic %s of dead letters: %w", name, err)
		}
	}
	if len(missing) > 0 && t.Create != nil && len(faults) == 0 {
		if err := t.Create(ctx, missing); err != nil {
			return true, fmt.Errorf("the topics %q of dead letters cannot be created: %w", missing, err)
		}
		return true, nil
	}
	for _, name := range missing {
		faults = append(faults, fmt.Errorf("ottla: there is no topic %s for dead letters: create it, or set Config.CreateDeadLetterTopics", name))
	}
	return false, errors.Join(faults...)
}
