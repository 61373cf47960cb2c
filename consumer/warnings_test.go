package consumer

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func TestWarnings(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"none", func(*Config) {}, nil},
		{"short session", func(c *Config) { c.SessionTimeout = 14 * time.Second }, []string{"SessionTimeout", "14s", "use 15s or more"}},
		{"short rebalance", func(c *Config) { c.RebalanceTimeout = 10 * time.Second }, []string{"RebalanceTimeout", "10s", "use 15s or more"}},
		{"long enough", func(c *Config) { c.SessionTimeout = 15 * time.Second }, nil},
		{"small backlog", func(c *Config) { c.Backlog.Bytes = 100_000 }, []string{"Backlog.Bytes", "100000", "Fetch.PartitionBytes, which is 1048576", "raise it"}},
		{"password in clear", func(c *Config) { c.SASL = SASL{Mechanism: SASLPlain, User: "u", Password: "geheim"} }, []string{"SASL.Mechanism", "PLAIN", "set TLS"}},
		{"password over TLS", func(c *Config) { c.SASL, c.TLS.Config = SASL{Mechanism: SASLPlain}, &tls.Config{} }, nil},
		{"password in clear, and a function that leaves it so", func(c *Config) { c.SASL, c.Sarama = SASL{Mechanism: SASLPlain}, func(*sarama.Config) {} }, []string{"SASL.Mechanism", "the password", "set TLS"}},
		{"password, and TLS by sarama's configuration", func(c *Config) {
			c.SASL, c.Sarama = SASL{Mechanism: SASLPlain}, func(s *sarama.Config) { s.Net.TLS.Enable = true }
		}, nil},
		{"password by sarama's configuration", func(c *Config) {
			c.Sarama = func(s *sarama.Config) {
				s.Net.SASL.Enable, s.Net.SASL.User, s.Net.SASL.Password = true, "u", "geheim"
			}
		}, []string{"Sarama: Net.SASL.Mechanism", "the password", "set TLS"}},
		{"TLS taken away again", func(c *Config) {
			c.SASL, c.TLS.Config = SASL{Mechanism: SASLPlain}, &tls.Config{}
			c.Sarama = func(s *sarama.Config) { s.Net.TLS.Enable = false }
		}, []string{"SASL.Mechanism", "the password", "set TLS"}},
		{"token in clear", func(c *Config) { c.SASL = SASL{Mechanism: SASLOAuthBearer} }, []string{"SASL.Mechanism", "the token", "set TLS"}},
		{"what TLS has made is changed in its place", func(c *Config) {
			c.TLS.Config, c.Sarama = &tls.Config{}, func(s *sarama.Config) { s.Net.TLS.Config.ServerName = "kafka" }
		}, nil},
		{"rack", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.RackID = "a" } }, []string{"Sarama", "RackID", "leaders only"}},
		{"metadata", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Metadata.Retry.Max = 7 } }, []string{"Sarama", "Metadata.Retry.Max", "no effect"}},
		{"read timeout", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Net.ReadTimeout = 7 } }, []string{"Sarama", "Net.ReadTimeout", "a deadline of its own"}},
		{"dialling", func(c *Config) {
			c.Sarama = func(s *sarama.Config) { s.Net.DialTimeout, s.ClientID, s.Net.TLS.Enable = 7, "x", true }
		}, nil},
		{"challenge", func(c *Config) { c.SASL = SASL{Mechanism: SASLScramSHA512} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.change(&c)
			got := c.Warnings()
			if len(tt.want) == 0 {
				if len(got) != 0 {
					t.Errorf("got %q", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d warnings, want 1: %q", len(got), got)
			}
			for _, part := range append(tt.want, "ottla: Config.") {
				if !strings.Contains(got[0], part) {
					t.Errorf("%q misses %q", got[0], part)
				}
			}
			if strings.Contains(got[0], "geheim") {
				t.Errorf("tells the password: %q", got[0])
			}
		})
	}
}
