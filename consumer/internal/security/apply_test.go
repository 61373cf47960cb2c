package security_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

func token(context.Context) (string, error) { return "t", nil }

func TestFaultsNameFieldValueAndRemedy(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue("client", &x509.Certificate{})
	_, foreign := ca.issue("other", &x509.Certificate{})
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("letters"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		tls  security.TLS
		sasl security.SASL
		want []string // one for each fault
	}{
		{"nothing", security.TLS{}, security.SASL{}, nil},
		{"unreadable CA", security.TLS{CAFile: "/nowhere/ca.pem"}, security.SASL{}, []string{`TLS.CAFile = "/nowhere/ca.pem": cannot be read (no such file or directory): give the path`}},
		{"CA without certificates", security.TLS{CAFile: empty}, security.SASL{}, []string{"holds no certificate"}},
		{"CA twice", security.TLS{CAFile: ca.file, Config: &tls.Config{RootCAs: ca.pool()}}, security.SASL{}, []string{"also as TLS.Config.RootCAs"}},
		{"certificate without key", security.TLS{CertFile: cert}, security.SASL{}, []string{"set TLS.KeyFile"}},
		{"key without certificate", security.TLS{KeyFile: key}, security.SASL{}, []string{"set TLS.CertFile"}},
		{"another one's key", security.TLS{CertFile: cert, KeyFile: foreign}, security.SASL{}, []string{"cannot be used with TLS.KeyFile"}},
		{"certificate twice", security.TLS{CertFile: cert, KeyFile: key, Config: &tls.Config{Certificates: make([]tls.Certificate, 1)}}, security.SASL{}, []string{"also as TLS.Config.Certificates"}},
		{"name twice", security.TLS{ServerName: "a", Config: &tls.Config{ServerName: "b"}}, security.SASL{}, []string{"also as TLS.Config.ServerName"}},
		{"unknown mechanism", security.TLS{}, security.SASL{Mechanism: "SCRAM", User: "u", Password: "p"}, []string{`SASL.Mechanism = "SCRAM": is not known: set it to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER`}},
		{"no mechanism", security.TLS{}, security.SASL{User: "u"}, []string{"SASL.Mechanism"}},
		{"no user, no password", security.TLS{}, security.SASL{Mechanism: "PLAIN"}, []string{"SASL.User", "SASL.Password"}},
		{"token for PLAIN", security.TLS{}, security.SASL{Mechanism: "PLAIN", User: "u", Password: "p", Token: token}, []string{"SASL.Token"}},
		{"no token", security.TLS{}, security.SASL{Mechanism: "OAUTHBEARER"}, []string{"SASL.Token"}},
		{"user for OAUTHBEARER", security.TLS{}, security.SASL{Mechanism: "OAUTHBEARER", User: "u", Password: "p", Token: token}, []string{"SASL.User", "SASL.Password"}},
		{"a name that SASLprep refuses", security.TLS{}, security.SASL{Mechanism: "SCRAM-SHA-256", User: "a\x00b", Password: "p"}, []string{"SASLprep"}},
		{"all together", security.TLS{CAFile: "/nowhere", CertFile: cert}, security.SASL{Mechanism: "x"}, []string{"TLS.CAFile", "TLS.KeyFile", "SASL.Mechanism"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := security.Apply(sarama.NewConfig(), x.tls, x.sasl)
			if (err == nil) != (x.want == nil) {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			faults := err.(interface{ Unwrap() []error }).Unwrap()
			if len(faults) != len(x.want) {
				t.Errorf("got %d faults, want %d: %v", len(faults), len(x.want), err)
			}
			for i, f := range faults {
				var fault *security.Fault
				if !errors.As(f, &fault) || fault.Field == "" || fault.Problem == "" || fault.Remedy == "" {
					t.Errorf("not a whole fault: %#v", f)
				}
				if i < len(x.want) && !strings.Contains(f.Error(), x.want[i]) {
					t.Errorf("got %q, want %q", f, x.want[i])
				}
				if strings.Contains(f.Error(), "letters") {
					t.Errorf("tells a secret: %q", f)
				}
			}
		})
	}
}

func TestNothingSetLeavesSaramasSettings(t *testing.T) {
	c := sarama.NewConfig()
	c.Net.TLS.Enable, c.Net.SASL.Enable, c.Net.SASL.User = true, true, "mine"
	if err := security.Apply(c, security.TLS{}, security.SASL{}); err != nil || !c.Net.TLS.Enable || c.Net.SASL.User != "mine" {
		t.Errorf("got %v, %+v", err, c.Net.SASL)
	}
}

func TestTheUsersTLSConfigIsNotWrittenTo(t *testing.T) {
	ca := newAuthority(t)
	mine := &tls.Config{MinVersion: tls.VersionTLS13}
	c := sarama.NewConfig()
	if err := security.Apply(c, security.TLS{CAFile: ca.file, Config: mine}, security.SASL{}); err != nil {
		t.Fatal(err)
	}
	if mine.RootCAs != nil || c.Net.TLS.Config.RootCAs == nil || c.Net.TLS.Config.MinVersion != tls.VersionTLS13 {
		t.Errorf("mine %v, used %v", mine, c.Net.TLS.Config)
	}
}

func TestToken(t *testing.T) {
	broken := errors.New("the issuer is away")
	for _, fail := range []error{nil, broken} {
		c := sarama.NewConfig()
		s := security.SASL{Mechanism: security.OAuthBearer, Token: func(ctx context.Context) (string, error) {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Minute {
				t.Error("SASL.Token may hang for ever")
			}
			return "t", fail
		}}
		if err := security.Apply(c, security.TLS{}, s); err != nil {
			t.Fatal(err)
		}
		got, err := c.Net.SASL.TokenProvider.Token()
		if !errors.Is(err, fail) || fail == nil && got.Token != "t" {
			t.Errorf("got %v, %v", got, err)
		}
		if fail != nil && !strings.Contains(security.Explain(err, true).Error(), "SASL.Token") {
			t.Errorf("got %v", security.Explain(err, true))
		}
	}
}

// provider makes sarama's of a function.
func provider(t *testing.T, token func(context.Context) (string, error)) sarama.AccessTokenProvider {
	t.Helper()
	c := sarama.NewConfig()
	if err := security.Apply(c, security.TLS{}, security.SASL{Mechanism: security.OAuthBearer, Token: token}); err != nil {
		t.Fatal(err)
	}
	return c.Net.SASL.TokenProvider
}

// A function that does not look at its context is left behind: who connects does not wait for it, and it is not called
// again before it has returned. What it returns then is used by whoever waits at that time.
func TestATokenThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		release := make(chan struct{})
		p := provider(t, func(context.Context) (string, error) {
			calls.Add(1)
			<-release
			return "late", nil
		})
		for range 3 {
			began := time.Now()
			_, err := p.Token()
			if took := time.Since(began); took != 3*time.Second || !errors.Is(err, security.ErrToken) || !strings.Contains(err.Error(), "has not returned within 3s") {
				t.Errorf("after %v: %v", took, err)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls hang", n)
		}
		time.AfterFunc(time.Second, func() { close(release) })
		if got, err := p.Token(); err != nil || got.Token != "late" {
			t.Errorf("got %v, %v", got, err)
		}
		if _, err := p.Token(); err != nil || calls.Load() != 2 {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
	})
}

// A user's code must not end the process, nor a goroutine of ours.
func TestATokenFunctionThatPanics(t *testing.T) {
	for what, end := range map[string]func(){"panic: no issuer": func() { panic("no issuer") }, "Goexit": runtime.Goexit} {
		p := provider(t, func(context.Context) (string, error) {
			end()
			return "t", nil
		})
		for range 2 {
			if _, err := p.Token(); !errors.Is(err, security.ErrToken) || !strings.Contains(err.Error(), what) {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	refused := sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("Invalid username or password"))
	got := security.Explain(refused, true)
	for _, want := range []string{"Invalid username or password", "SASL.User", "SASL.Password", "SASL.Mechanism"} {
		if !strings.Contains(got.Error(), want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if !errors.Is(got, sarama.ErrSASLAuthenticationFailed) {
		t.Error("the error itself is gone")
	}
	if again := security.Explain(got, true); again != got {
		t.Errorf("explained twice: %v", again)
	}
	if security.Explain(nil, true) != nil {
		t.Error("nil has become an error")
	}
	other := errors.New("connection refused")
	if security.Explain(other, false) != other || security.Denied(other) {
		t.Error("nothing is known of this error")
	}
	for err, want := range map[error]string{
		sarama.ErrUnsupportedSASLMechanism: "SASL.Mechanism",
		sarama.ErrIllegalSASLState:         "leave SASL out",
		&net.DNSError{IsNotFound: true}:    "advertised.listeners",
		&net.DNSError{IsTimeout: true}:     "name servers",
		os.ErrDeadlineExceeded:             "Nobody answers there",
	} {
		if got := security.Explain(err, false).Error(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A look-up that succeeds asks about its nil error, too.
func TestNothingIsDeniedWithoutAnError(t *testing.T) {
	if security.Denied(nil) || security.Explain(nil, true) != nil {
		t.Error("nil is no error")
	}
}
