package security

import (
	"context"
	"strings"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// The mechanisms, as brokers name them.
const (
	Plain       = sarama.SASLTypePlaintext
	ScramSHA256 = sarama.SASLTypeSCRAMSHA256
	ScramSHA512 = sarama.SASLTypeSCRAMSHA512
	OAuthBearer = sarama.SASLTypeOAuth
)

var mechanisms = []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer}

// SASL says who the client is. The zero value means no SASL. PLAIN and OAUTHBEARER send their secrets as they
// are: use them over TLS.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
	Mechanism string
	// User and Password are for PLAIN and SCRAM.
	User, Password string
	// Token is for OAUTHBEARER: it is asked for a token when a connection is made, and so should keep one until it
	// expires. ctx ends after 3 s, and with it the connection's attempt. One call runs at a time: a function that does
	// not return is left behind, and not called again before it does.
	Token func(ctx context.Context) (string, error)
}

// Enabled says that the client authenticates itself.
func (s SASL) Enabled() bool {
	return s.Mechanism != "" || s.User != "" || s.Password != "" || s.Token != nil
}

// apply sets Net.SASL and returns what is wrong.
func (s SASL) apply(to *sarama.Config) []error {
	if !s.Enabled() {
		return nil
	}
	n := &to.Net.SASL
	n.Enable, n.Handshake, n.Version = true, true, sarama.SASLHandshakeV1
	n.Mechanism = sarama.SASLMechanism(s.Mechanism)
	switch s.Mechanism {
	case Plain, ScramSHA256, ScramSHA512:
		n.User, n.Password = s.User, s.Password
		return append(s.password(), s.scram(to)...)
	case OAuthBearer:
		n.TokenProvider = &tokens{ask: s.Token}
		return s.token()
	case "":
		return []error{&Fault{"SASL.Mechanism", "", "is not set, but other SASL settings are", "set it to " + list(), nil}}
	default:
		return []error{&Fault{"SASL.Mechanism", s.Mechanism, "is not known", "set it to " + list(), nil}}
	}
}

func list() string {
	return strings.Join(mechanisms[:len(mechanisms)-1], ", ") + " or " + mechanisms[len(mechanisms)-1]
}

func (s SASL) password() (faults []error) {
	if s.User == "" {
		faults = append(faults, &Fault{"SASL.User", "", "is needed by " + s.Mechanism, "set the user's name", nil})
	}
	if s.Password == "" {
		faults = append(faults, &Fault{"SASL.Password", "", "is needed by " + s.Mechanism, "set the user's password", nil})
	}
	if s.Token != nil {
		faults = append(faults, &Fault{"SASL.Token", "func", "has no effect with " + s.Mechanism, "leave it out, or use " + OAuthBearer, nil})
	}
	return faults
}

func (s SASL) token() (faults []error) {
	if s.Token == nil {
		faults = append(faults, &Fault{"SASL.Token", "nil", "is needed by " + OAuthBearer, "set a function that returns a token", nil})
	}
	if s.User != "" {
		faults = append(faults, &Fault{"SASL.User", s.User, "has no effect with " + OAuthBearer, "leave it out: the token says who it is", nil})
	}
	if s.Password != "" {
		faults = append(faults, &Fault{"SASL.Password", "(set)", "has no effect with " + OAuthBearer, "leave it out: the token says who it is", nil})
	}
	return faults
}

// scram gives sarama the SCRAM client that it lacks. One client serves all connections: it keeps the salted
// password, which takes thousands of hashes to compute.
func (s SASL) scram(to *sarama.Config) []error {
	var hash scram.HashGeneratorFcn
	switch s.Mechanism {
	case ScramSHA256:
		hash = scram.SHA256
	case ScramSHA512:
		hash = scram.SHA512
	default:
		return nil
	}
	client, err := hash.NewClient(s.User, s.Password, "")
	if err != nil {
		return []error{&Fault{"SASL.User", s.User, "or the password cannot be sent by SCRAM (" + err.Error() + ")", "use characters that SASLprep (RFC 4013) allows", err}}
	}
	to.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &conversation{client: client} }
	return nil
}

// conversation is one SCRAM exchange, as sarama drives it.
type conversation struct {
	client *scram.Client
	*scram.ClientConversation
}

// Begin implements sarama.SCRAMClient. Name and password are the client's already.
func (c *conversation) Begin(_, _, _ string) error {
	c.ClientConversation = c.client.NewConversation()
	return nil
}
