package consumer

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

// TLS encrypts the connections to all brokers. Setting any field turns it on; for brokers that the system's roots
// vouch for, TLS{Config: &tls.Config{}} is enough.
type TLS struct {
	// CAFile holds the certificates, in PEM, of the authorities that vouch for the brokers. Default: the system's.
	CAFile string
	// CertFile and KeyFile are the client's own certificate and key, in PEM, for brokers that demand them (mTLS).
	// Both or none. They are read again for each connection: a renewed certificate is used without a restart.
	CertFile, KeyFile string
	// ServerName is what the brokers' certificates must name. Default: the host that is dialled.
	ServerName string
	// Config is the base for all else. It is copied; what a field above sets must not be set in it.
	Config *tls.Config
}

// SASL authenticates to all brokers. PLAIN and OAUTHBEARER send their secrets as they are: use them over TLS.
type SASL struct {
	// Mechanism is SASLPlain, SASLScramSHA256, SASLScramSHA512 or SASLOAuthBearer.
	Mechanism string
	// User and Password are for PLAIN and SCRAM.
	User, Password string
	// Token is for OAUTHBEARER: it gives a token when a connection is made, from any goroutine, one call at a time, and
	// should keep one until it expires. After 3 s, when ctx ends, the attempt to connect has failed, and the error says
	// so. A function that does not look at ctx holds nothing up, not the end of the consumer either: it is left behind,
	// and is not called again before it has returned.
	Token func(ctx context.Context) (string, error)
}

// The mechanisms, by their names in the SASL registry of the IANA.
const (
	SASLPlain       = security.Plain
	SASLScramSHA256 = security.ScramSHA256
	SASLScramSHA512 = security.ScramSHA512
	SASLOAuthBearer = security.OAuthBearer
)

// on says whether any field is set.
func (t TLS) on() bool  { return security.TLS(t).Enabled() }
func (s SASL) on() bool { return security.SASL(s).Enabled() }

// String hides the password: a Config is easily printed.
func (s SASL) String() string {
	if !s.on() {
		return "off"
	}
	return fmt.Sprintf("%s as %q", s.Mechanism, s.User)
}

// GoString is String, for %#v.
func (s SASL) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s SASL) LogValue() slog.Value { return slog.StringValue(s.String()) }
