package security

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/IBM/sarama"
)

// Explained is an error of a connection together with what to do about it.
type Explained struct {
	Err    error
	Remedy string
}

// Error gives the error first and then the remedy.
func (e *Explained) Error() string { return e.Err.Error() + ". " + e.Remedy }

// Unwrap returns the error as it came.
func (e *Explained) Unwrap() error { return e.Err }

// Explain adds the remedy to an error that a connection's first request came back with: what the network and
// the brokers say of wrong addresses and security settings seldom names them. tlsOn says whether the connection was to be
// encrypted. Errors without a known remedy, and nil, are returned as they are.
func Explain(err error, tlsOn bool) error {
	if err == nil {
		return nil
	}
	var already *Explained
	if errors.As(err, &already) {
		return err
	}
	if r := remedy(err, tlsOn); r != "" {
		return &Explained{err, r}
	}
	return err
}

// Denied says that a broker answers but refuses us, or we refuse it, for the security settings: waiting will not
// help. A bare [HungUp] may mean that as well.
func Denied(err error) bool {
	if err == nil {
		return false
	}
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
	)
	return errors.Is(err, sarama.ErrSASLAuthenticationFailed) || errors.Is(err, sarama.ErrUnsupportedSASLMechanism) ||
		errors.Is(err, sarama.ErrIllegalSASLState) || errors.Is(err, ErrToken) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid) || errors.As(err, &header) ||
		alert(err)
}

func remedy(err error, tlsOn bool) string {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
		dns       *net.DNSError
	)
	switch {
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return "The broker refuses these credentials: check SASL.User and SASL.Password, or what SASL.Token returns; a SCRAM user must exist for the very SASL.Mechanism that is set"
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return "This listener of the broker does not offer the mechanism: check SASL.Mechanism and the port in Brokers"
	case errors.Is(err, sarama.ErrIllegalSASLState):
		return "This listener of the broker does not take SASL: leave SASL out, or check the port in Brokers"
	case errors.Is(err, ErrToken):
		return "The function SASL.Token gave no token"
	case errors.As(err, &authority):
		return "The broker's certificate is signed by a CA that this process does not trust: set TLS.CAFile to the PEM file of that CA"
	case errors.As(err, &hostname):
		return "The broker's certificate is for another name: put the name it is for into Brokers, or set TLS.ServerName to it"
	case errors.As(err, &invalid):
		return "The broker's certificate is not valid: renew it, or check this machine's clock"
	case errors.As(err, &header):
		return "The port does not speak TLS: use the broker's TLS port in Brokers, or leave TLS out"
	case alert(err):
		return "The broker does not accept the TLS handshake: if it demands a client certificate, set TLS.CertFile and TLS.KeyFile to one that it trusts"
	case HungUp(err) && tlsOn:
		return "The broker hung up: if its port does not speak TLS, leave TLS out; if it demands SASL, set SASL (and check user and password); if it demands a client certificate, set TLS.CertFile and TLS.KeyFile"
	case HungUp(err):
		return "The broker hung up: if its port speaks TLS, set TLS (TLS.CAFile where the CA is a private one); if it demands SASL, set SASL (and check user and password)"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "The name is not known here: check Brokers, and the brokers' advertised.listeners, which is what they name each other by"
	case errors.As(err, &dns):
		return "The name cannot be looked up: check this machine's name servers, and Brokers"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there: check Brokers, and that the broker runs"
	case silent(err) && tlsOn:
		return "Nobody answers there: check that Brokers names the port of a Kafka broker that this machine can reach; if that port does not speak TLS, leave TLS out"
	case silent(err):
		return "Nobody answers there: check that Brokers names the port of a Kafka broker that this machine can reach; if that port speaks TLS, set TLS"
	default:
		return ""
	}
}

// silent says that the time for an answer, or for a connection, was over.
func silent(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// HungUp says that the connection was closed where an answer was due. That is all that a plaintext client learns from a
// TLS port, a TLS client from Kafka's plaintext port, and a client without SASL from a port that demands it; but
// a broker that stops hangs up, too.
func HungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// alert: the other side ended the handshake. crypto/tls has no exported type for what it was told.
func alert(err error) bool {
	return strings.Contains(err.Error(), "remote error: tls: ")
}
