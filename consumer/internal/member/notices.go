package member

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/security"
)

// notices joins what a user should read into the one notice that the supervisor keeps.
type notices struct {
	coordinator error
	assignment  error
	topics      map[string]error
	told        string
	tell        func(error)
}

// update tells when the text has changed; nil when nothing is left to say.
func (n *notices) update() {
	all := []error{n.coordinator, n.assignment}
	for _, t := range slices.Sorted(maps.Keys(n.topics)) {
		all = append(all, n.topics[t])
	}
	err := errors.Join(all...)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != n.told {
		n.told = text
		n.tell(err)
	}
}

// fault is what keeps a subscribed topic from being consumed; nil where it is only a matter of time.
func fault(topic string, t conn.Topic) error {
	switch {
	case errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition):
		return fmt.Errorf("topic %q does not exist: create it, or correct Topics; it is waited for, and not created by asking for it: %w", topic, t.Err)
	case errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed):
		return fmt.Errorf("topic %q may not be read by this user: allow DESCRIBE and READ by an ACL, or correct Topics: %w", topic, t.Err)
	case errors.Is(t.Err, sarama.ErrInvalidTopic):
		return fmt.Errorf("topic %q has a name that Kafka does not take: correct Topics: %w", topic, t.Err)
	default:
		return nil
	}
}

// unreachable is the notice of a coordinator that cannot be worked with. met: some broker has let us in before, so
// that one which hangs up is not a matter of the security settings. owner: there are partitions that may be lost.
func unreachable(group string, err error, met, tls, owner bool) error {
	if !met || security.Denied(err) {
		err = security.Explain(err, tls)
	}
	kept := ""
	if owner {
		kept = "; what is owned is kept until the lease ends"
	}
	return fmt.Errorf("the coordinator of group %q cannot be worked with, and is looked for%s: %w", group, kept, err)
}

// unassigned is the notice of a group in which no assignment comes about, though the coordinator answers.
func unassigned(group string, err error) error {
	return fmt.Errorf("the partitions of group %q cannot be assigned, which is tried again at growing distances: %w", group, err)
}

// denied says that every broker that was asked refuses us.
func denied(err error, met bool) bool {
	refuses := func(err error) bool { return security.Denied(err) || !met && security.HungUp(err) }
	var none *conn.NoBrokerError
	if !errors.As(err, &none) {
		return refuses(err)
	}
	for _, e := range none.Errs {
		if !refuses(e) {
			return false
		}
	}
	return true
}
