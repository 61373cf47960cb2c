package security_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/security"
)

func broker(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// port accepts connections, says something, and hangs up.
func port(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1<<10)) // else closing would reset the connection under the client
			_, _ = c.Write([]byte(says))
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

// connect makes one request with these settings; the error is explained.
func connect(t *testing.T, addr string, tl security.TLS, sa security.SASL) error {
	t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	if err := security.Apply(c, tl, sa); err != nil {
		t.Fatal(err)
	}
	d, err := conn.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cn := d.Dial(addr)
	defer time.AfterFunc(10*time.Second, cn.Kill).Stop() // should it hang
	_, err = cn.GetMetadata(&sarama.MetadataRequest{Version: 5})
	return security.Explain(err, tl.Enabled())
}

func TestConnections(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	clientCert, clientKey := ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	mutual := ca.server(loopback())
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
	named := ca.server(&x509.Certificate{DNSNames: []string{"kafka.example"}})
	expired := loopback()
	expired.NotAfter = time.Now().Add(-time.Minute)

	var (
		plainPort = broker(t)
		tlsPort   = broker(t, kfake.TLS(ca.server(loopback())))
		mtlsPort  = broker(t, kfake.TLS(mutual))
		namedPort = broker(t, kfake.TLS(named))
		oldPort   = broker(t, kfake.TLS(ca.server(expired)))
		saslPort  = broker(t, kfake.TLS(ca.server(loopback())), kfake.EnableSASL(),
			kfake.Superuser("PLAIN", "plain", "letters"), kfake.Superuser("SCRAM-SHA-256", "s256", "letters"), kfake.Superuser("SCRAM-SHA-512", "s512", "letters"))
		trust = security.TLS{CAFile: ca.file}
	)
	for _, x := range []struct {
		name string
		addr string
		tls  security.TLS
		sasl security.SASL
		want string // part of the error; "": it connects
	}{
		{"plaintext", plainPort, security.TLS{}, security.SASL{}, ""},
		{"TLS with a private CA", tlsPort, trust, security.SASL{}, ""},
		{"TLS by tls.Config", tlsPort, security.TLS{Config: &tls.Config{RootCAs: ca.pool()}}, security.SASL{}, ""},
		{"TLS with the system's CAs", tlsPort, security.TLS{Config: &tls.Config{}}, security.SASL{}, "set TLS.CAFile"},
		{"TLS with another CA", tlsPort, security.TLS{CAFile: other.file}, security.SASL{}, "set TLS.CAFile"},
		{"mTLS", mtlsPort, security.TLS{CAFile: ca.file, CertFile: clientCert, KeyFile: clientKey}, security.SASL{}, ""},
		{"mTLS without a certificate", mtlsPort, trust, security.SASL{}, "set TLS.CertFile and TLS.KeyFile"},
		{"a certificate for another name", namedPort, trust, security.SASL{}, "set TLS.ServerName"},
		{"that name given", namedPort, security.TLS{CAFile: ca.file, ServerName: "kafka.example"}, security.SASL{}, ""},
		{"an expired certificate", oldPort, trust, security.SASL{}, "is not valid"},
		{"plaintext client, TLS port", tlsPort, security.TLS{}, security.SASL{}, "if its port speaks TLS, set TLS"},
		{"TLS client, a port that talks", port(t, "HTTP/1.0 400 Bad Request\r\n"), trust, security.SASL{}, "The port does not speak TLS"},
		{"TLS client, a port that hangs up", port(t, ""), trust, security.SASL{}, "if its port does not speak TLS"}, // as Kafka's plaintext port does
		{"PLAIN", saslPort, trust, security.SASL{Mechanism: "PLAIN", User: "plain", Password: "letters"}, ""},
		{"SCRAM-SHA-256", saslPort, trust, security.SASL{Mechanism: "SCRAM-SHA-256", User: "s256", Password: "letters"}, ""},
		{"SCRAM-SHA-512", saslPort, trust, security.SASL{Mechanism: "SCRAM-SHA-512", User: "s512", Password: "letters"}, ""},
		{"wrong password", saslPort, trust, security.SASL{Mechanism: "SCRAM-SHA-512", User: "s512", Password: "no"}, "check user and password"},
		{"no SASL where it is demanded", saslPort, trust, security.SASL{}, "set SASL"},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := connect(t, x.addr, x.tls, x.sasl)
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("got %v, want %q", err, x.want)
			}
			if err != nil && !security.Denied(err) && !security.HungUp(err) {
				t.Errorf("%v does not look like one of the security settings", err)
			}
		})
	}
}

// What is wrong with an address is no matter of security, and still says what to do.
func TestConnectToWhereNoBrokerIs(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	_ = free.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections in, and nobody reads from them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, x := range []struct {
		name string
		addr string
		tls  security.TLS
		want []string
	}{
		{"nothing listens", closed, security.TLS{}, []string{"connection refused", "Nothing listens there: check Brokers, and that the broker runs"}},
		{"silence", silent.Addr().String(), security.TLS{}, []string{"does not answer", "the port of a Kafka broker", "if that port speaks TLS, set TLS"}},
		{"silence, with TLS", silent.Addr().String(), security.TLS{Config: &tls.Config{}}, []string{"does not answer", "the port of a Kafka broker", "leave TLS out"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := security.Explain(ask(t, x.addr, x.tls), x.tls.Enabled())
			for _, part := range x.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
			}
			if security.Denied(err) || security.HungUp(err) {
				t.Errorf("%v is taken for one of the security settings", err)
			}
		})
	}
}

// ask is the member's first question, which has little time.
func ask(t *testing.T, addr string, tl security.TLS) error {
	t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	if err := security.Apply(c, tl, security.SASL{}); err != nil {
		t.Fatal(err)
	}
	d, err := conn.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cluster := conn.NewCluster(conn.Settings{Seeds: []string{addr}, Dial: d.Dial, Version: c.Version})
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/4)
	defer cancel()
	_, err = conn.Ask(ctx, cluster, func(cn conn.Conn) (*sarama.MetadataResponse, error) {
		return cn.GetMetadata(&sarama.MetadataRequest{Version: 5})
	})
	return err
}

func TestARenewedCertificateIsUsed(t *testing.T) {
	ca := newAuthority(t)
	client := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	cert, key := ca.issue("client", client)
	c := sarama.NewConfig()
	if err := security.Apply(c, security.TLS{CAFile: ca.file, CertFile: cert, KeyFile: key}, security.SASL{}); err != nil {
		t.Fatal(err)
	}
	before, err := c.Net.TLS.Config.GetClientCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca.issue("client", client) // the same files
	after, err := c.Net.TLS.Config.GetClientCertificate(nil)
	if err != nil || string(before.Certificate[0]) == string(after.Certificate[0]) {
		t.Errorf("the old certificate is shown still: %v", err)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Net.TLS.Config.GetClientCertificate(nil); err == nil {
		t.Error("a certificate from nowhere")
	}
}
