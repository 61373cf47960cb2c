package source

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// TestOverTLSAndSASL: a connection that is more than a socket reads, and is cut like one.
func TestOverTLSAndSASL(t *testing.T) {
	certificates := httptest.NewTLSServer(nil) // it has one for 127.0.0.1
	t.Cleanup(certificates.Close)
	trusting := certificates.Client().Transport.(*http.Transport).TLSClientConfig
	c := newCluster(t, 1, 1, kfake.TLS(certificates.TLS), kfake.EnableSASL(), kfake.Superuser("PLAIN", "user", "password"))
	fill(t, c.ListenAddrs(), 10_000, 1, 100, kgo.DialTLSConfig(trusting.Clone()), kgo.SASL(plain.Auth{User: "user", Pass: "password"}.AsMechanism()))

	config := saramaConfig()
	config.Net.TLS.Enable, config.Net.TLS.Config = true, trusting.Clone()
	config.Net.SASL.Enable, config.Net.SASL.Mechanism, config.Net.SASL.User, config.Net.SASL.Password = true, sarama.SASLTypePlaintext, "user", "password"
	s := newSource(t, c.ListenAddrs(), Options{Config: config, MaxWait: 20 * time.Second})
	b := openBox(t, s, 0, 0, 8*mib, nil)
	eventually(t, 5*time.Second, "all is read", func() bool { return b.count() == 10_000 })
	during(20 * time.Millisecond)
	begun := time.Now()
	s.Stop()
	if d := time.Since(begun); d > time.Second {
		t.Errorf("Stop took %v", d)
	}
	eventually(t, 5*time.Second, "no goroutine is left", func() bool { return len(strays()) == 0 })
	if err := b.upTo(0, 10_000); err != nil {
		t.Error(err)
	}
}
