package member

import (
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// code is the broker's error code in err; ErrNoError when there is none, also where nobody answered.
func code(err error) sarama.KError {
	var k sarama.KError
	if err == nil || !errors.As(err, &k) {
		return sarama.ErrNoError
	}
	return k
}

// forgotten: the broker does not know us (any more): as a member, or the whole group.
func forgotten(k sarama.KError) bool {
	return k == sarama.ErrUnknownMemberId || k == sarama.ErrGroupIDNotFound
}

// moved: another broker is the coordinator, or soon will be.
func moved(k sarama.KError) bool {
	return k == sarama.ErrNotCoordinatorForConsumer || k == sarama.ErrConsumerCoordinatorNotAvailable
}

// unusable is an error of what we would send, or of what we were sent: the coordinator did its part.
type unusable struct{ error }

func (u unusable) Unwrap() error { return u.error }

// fatal: trying again cannot help.
func fatal(k sarama.KError) bool {
	switch k {
	case sarama.ErrFencedInstancedId, sarama.ErrGroupAuthorizationFailed, sarama.ErrInconsistentGroupProtocol,
		sarama.ErrInvalidSessionTimeout, sarama.ErrInvalidGroupId, sarama.ErrGroupMaxSizeReached,
		sarama.ErrUnsupportedVersion, sarama.ErrInvalidRequest:
		return true
	}
	return false
}

// hopeless says that every broker that was asked gave a fatal answer. One of them may be older than the others, or know
// less of the ACLs, while those are away.
func hopeless(err error) bool {
	var none *conn.NoBrokerError
	if !errors.As(err, &none) {
		return fatal(code(err))
	}
	return len(none.Errs) > 0 && !slices.ContainsFunc(none.Errs, func(err error) bool { return !fatal(code(err)) })
}

// explain adds to a fatal error what to do about it.
func (r *rules) explain(err error) error {
	var remedy string
	switch code(err) {
	case sarama.ErrFencedInstancedId:
		remedy = fmt.Sprintf("another process has joined the group with the same InstanceID = %q and has taken this one's place: give each process an id of its own", r.instance)
	case sarama.ErrGroupAuthorizationFailed:
		remedy = "this user may not READ the group: allow it by an ACL, or set another Group"
	case sarama.ErrInconsistentGroupProtocol:
		remedy = "the other members of the group use other balance strategies: during a migration list the old and the new one in Balance"
	case sarama.ErrInvalidSessionTimeout:
		remedy = fmt.Sprintf("the broker refuses SessionTimeout = %v: choose one between its group.min.session.timeout.ms and group.max.session.timeout.ms, or change those", r.session)
	case sarama.ErrInvalidGroupId:
		remedy = "set Group to a name that Kafka takes"
	case sarama.ErrGroupMaxSizeReached:
		remedy = "the group has as many members as the broker's group.max.size allows"
	case sarama.ErrUnsupportedVersion:
		remedy = "the broker, or the configured Version, is older than what a group member needs: Kafka 2.4"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, remedy)
}
