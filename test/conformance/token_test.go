package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// tokens issues unsecured tokens (RFC 7519, 6), which the test's brokers take for OAUTHBEARER.
type tokens struct {
	lifetime time.Duration

	mu     sync.Mutex
	issued int
	err    error // in the place of a token
}

// token is consumer.SASL's.
func (i *tokens) token(context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return "", i.err
	}
	i.issued++
	now := time.Now()
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return text(`{"alg":"none"}`) + "." + text(fmt.Sprintf(`{"sub":"ottla","iat":%.3f,"exp":%.3f}`,
		float64(now.UnixMilli())/1000, float64(now.Add(i.lifetime).UnixMilli())/1000)) + ".", nil
}

// fail has it answer with an error; with tokens again after nil.
func (i *tokens) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

// count is how many tokens it has issued.
func (i *tokens) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.issued
}

// renewed is how many connections of a member that consumes live longer than a token, at least: those for heartbeats,
// offsets and records.
const renewed = 3

var errIssuer = errors.New("the issuer is away")

// TestAuthCredentialExpires: tokens live for three seconds, and the broker ends a connection with the token that it was
// made by. The member goes on with fresh ones, on the connections that it has: no claim ends, nothing is handled twice.
// Then the function that gives tokens fails. Elsewhere that is a broker that hangs up, for no reason that is told; here
// readiness, and the log, say that it is SASL.Token, and what it said. When it gives tokens again, the member goes on, and
// nothing is lost.
func TestAuthCredentialExpires(t *testing.T) {
	realOnly(t, "the broker in the test's process has no listeners beside its plain one")
	const partitions, each = 2, 1500
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, o := newLedger(partitions, 2*each), newOwners()
	issuer, w := &tokens{lifetime: 3 * time.Second}, &tap{}
	cfg := k.secured("a", group, topic)
	cfg.SASL = consumer.SASL{Mechanism: consumer.SASLOAuthBearer, Token: issuer.token}
	cfg.Hooks = o.hooks("a")
	w.through(&cfg)
	cfg.Handler = l.keeps("a", func(ctx context.Context, _ *consumer.Record) error { work(ctx.Done(), 5*time.Millisecond); return nil })
	a := start(t, "a", cfg)
	a.owns(partitions)
	k.fill(topic, partitions, 0, each)
	began, sequences := time.Now(), sequencesOf(a)
	eventually(t, "a half is processed, over three lives of a token", func() bool {
		return l.count() == partitions*each && time.Since(began) > 3*issuer.lifetime
	})
	if now := sequencesOf(a); !equalSets(sequences, now) {
		t.Errorf("it has the claims %v, and had %v before", now, sequences)
	}
	issued := issuer.count()
	dialled := w.count()
	if issued < dialled+renewed {
		t.Errorf("%d tokens were issued for %d connections: those that are there have not been given fresh ones", issued, dialled)
	}
	if l.duplicates > 0 {
		t.Errorf("%d records were finished twice while tokens were renewed", l.duplicates)
	}

	issuer.fail(errIssuer)
	eventually(t, "readiness says what is wrong", func() bool {
		said := strings.Join(a.status().Health.Reasons, "\n")
		return strings.Contains(said, "SASL.Token") && strings.Contains(said, errIssuer.Error())
	})
	t.Log(strings.Join(a.status().Health.Reasons, "\n"))
	if a.over() {
		t.Fatalf("Run answered %v: a token may come again", a.result)
	}
	k.fill(topic, partitions, each, 2*each)
	issuer.fail(nil)
	eventually(t, "it is ready again", func() bool { return a.status().Health.Ready })
	eventually(t, "all are processed", l.done)
	a.leave()
	l.orderly(t)
	l.explained(t, o)
	for p, at := range k.committed(group, topic) {
		if at != 2*each {
			t.Errorf("partition %d: %d is committed, want %d", p, at, 2*each)
		}
	}
	t.Logf("%d tokens for %d connections, %d claims lost", issued, dialled, len(told[*messages.ClaimLost](a)))
}
