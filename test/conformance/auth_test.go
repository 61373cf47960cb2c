package conformance

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// secured is a configuration for the listener that demands TLS and SASL.
func (k *kafka) secured(member, group, topic string) consumer.Config {
	cfg := k.config(member, group, topic)
	cfg.Brokers = strings.Split(os.Getenv("OTTLA_TEST_SASL_BROKERS"), ",")
	cfg.TLS.CAFile = os.Getenv("OTTLA_TEST_CA")
	cfg.SASL = consumer.SASL{
		Mechanism: consumer.SASLScramSHA512,
		User:      os.Getenv("OTTLA_TEST_USER"), Password: os.Getenv("OTTLA_TEST_PASSWORD"),
	}
	return cfg
}

// TestAuth: two members share a topic, consume, commit and leave, through SCRAM-SHA-512 over TLS, and with every one of
// their connections; so they do with other mechanisms, and with a client's certificate.
func TestAuth(t *testing.T) {
	realOnly(t, "the broker in the test's process has no listeners beside its plain one")
	mechanisms := map[string]func(*consumer.Config){
		"SCRAM-SHA-512": func(*consumer.Config) {},
		"SCRAM-SHA-256": func(c *consumer.Config) { c.SASL.Mechanism = consumer.SASLScramSHA256 },
		"PLAIN":         func(c *consumer.Config) { c.SASL.Mechanism = consumer.SASLPlain },
		"OAUTHBEARER": func(c *consumer.Config) {
			c.SASL = consumer.SASL{Mechanism: consumer.SASLOAuthBearer, Token: (&tokens{lifetime: time.Hour}).token}
		},
		"mTLS": func(c *consumer.Config) {
			c.Brokers = strings.Split(os.Getenv("OTTLA_TEST_MTLS_BROKERS"), ",")
			c.SASL = consumer.SASL{}
			c.TLS.CertFile, c.TLS.KeyFile = os.Getenv("OTTLA_TEST_CLIENT_CERT"), os.Getenv("OTTLA_TEST_CLIENT_KEY")
		},
	}
	for mechanism, change := range mechanisms {
		t.Run(mechanism, func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(4)
			group := "g-" + topic
			k.fill(topic, 4, 0, 50)
			l := newLedger(4, 100)
			taps := map[string]*tap{"a": {}, "b": {}}
			var listeners []string
			run := func(name string) *member {
				cfg := k.secured(name, group, topic)
				change(&cfg)
				listeners = cfg.Brokers
				taps[name].through(&cfg)
				cfg.Handler = l.keeps(name, nil)
				return start(t, name, cfg)
			}
			a := run("a")
			a.owns(4)
			b := run("b")
			b.owns(2)
			k.fill(topic, 4, 50, 100)
			eventually(t, "all are processed", l.done)
			b.leave()
			a.leave()
			l.clean(t)
			for name, tap := range taps {
				tap.secure(t, name, listeners)
			}
			for p := range int32(4) {
				if at := k.committed(group, topic)[p]; at != 100 {
					t.Errorf("partition %d: committed %d, want 100", p, at)
				}
			}
		})
	}
}

// TestAuthFaults: what is wrong is told in words that say what to do: in the error of Run where it cannot pass, else in
// the log and in readiness.
func TestAuthFaults(t *testing.T) {
	realOnly(t, "the broker in the test's process has no listeners beside its plain one")
	faults := map[string]struct {
		change func(*consumer.Config)
		want   []string
	}{
		"wrong password": {
			func(c *consumer.Config) { c.SASL.Password = "guess" },
			[]string{"SCRAM-SHA-512", "check SASL.User and SASL.Password"},
		},
		"a token that has expired": {
			func(c *consumer.Config) {
				c.SASL = consumer.SASL{Mechanism: consumer.SASLOAuthBearer, Token: (&tokens{lifetime: -time.Hour}).token}
			},
			[]string{"what SASL.Token returns"},
		},
		"plaintext to a TLS port": {
			func(c *consumer.Config) { c.TLS, c.SASL = consumer.TLS{}, consumer.SASL{} },
			[]string{"if its port speaks TLS, set TLS", "TLS.CAFile"},
		},
		"TLS to a plaintext port": {
			func(c *consumer.Config) { c.Brokers = realBrokers() },
			[]string{"does not speak TLS", "leave TLS out"},
		},
		"unknown authority": {
			func(c *consumer.Config) { c.TLS.CAFile = os.Getenv("OTTLA_TEST_OTHER_CA") },
			[]string{"certificate", "set TLS.CAFile"},
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			cfg := k.secured("a", "g-"+topic, topic)
			fault.change(&cfg)
			cfg.Handler = newLedger(1, 0).keeps("a", nil)
			a := start(t, "a", cfg)
			var said string
			eventually(t, "somebody says what is wrong", func() bool {
				if a.over() {
					said = a.result.Error()
				} else {
					said = strings.Join(a.status().Health.Reasons, "\n")
				}
				for _, part := range fault.want {
					if !strings.Contains(said, part) {
						return false
					}
				}
				return true
			})
			t.Log(said)
		})
	}
}
