package consumer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// ConfigFromEnv reads a configuration from environment variables; os.Getenv is a getenv, a closure gives the names
// a prefix, a map's look-up gives a test its values. A variable that is blank counts as not set, and leaves its
// field zero, which means its default; white space around a value is not part of it, but for a password. Topics or
// PerTopic, and Handler or Actor, are for the program to set.
//
//	KAFKA_BROKER_ADDRESSES   host:port,host:port,…                            Brokers
//	KAFKA_GROUP_ID           the consumer group                               Group
//	KAFKA_MAX_MSGS_PER_PARTITION_BUFFERED_LOCALLY   records                   Backlog.Records
//	KAFKA_POLLING_TIMEOUT    milliseconds                                     Fetch.MaxWait
//	KAFKA_MAX_POLL_INTERVAL_MS   milliseconds                                 RebalanceTimeout
//	KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE   1: a record is skipped, with a log line, when its handler
//	                         answers with an error; anything else that goes wrong is retried. 0: all is.
//	                                                                          Policy
//	KAFKA_MAX_MESSAGES_PER_SECOND_PER_PARTITION   a number; 0: no limit        Limit.PerSecond
//	KAFKA_LOG_LEVEL          Emerg, Alert, Crit, Err, Warning, Notice, Info or Debug: less is left out of
//	                         what goes to slog.Default()                      Logger
//	KAFKA_TLS                1: encrypt; the system's authorities vouch for the brokers   TLS.Config
//	KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE                TLS.CAFile, CertFile, KeyFile
//	KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD            SASL.Mechanism, User, Password
//
// These have no effect, which [Config.Warnings] says where they are set: KAFKA_POLL_BATCH_SIZE (there is no poll;
// see Fetch), and a producer's KAFKA_DELIVERY_TIMEOUT, KAFKA_BATCH_SIZE and KAFKA_COMPRESSION_CODEC.
//
// The error joins all variables that cannot be read, each with its value and the remedy. The Config is then not
// to be used. [Config.Validate] says what is wrong with the values together.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var (
		c      Config
		faults []error
	)
	for _, v := range variables {
		value := getenv(v.name)
		bare := strings.TrimSpace(value)
		if bare == "" {
			continue
		}
		if !v.exact {
			value = bare
		}
		if err := v.read(&c, value); err != nil {
			faults = append(faults, fmt.Errorf("ottla: %s=%q: %w", v.name, value, err))
		}
	}
	return c, errors.Join(faults...)
}

// variable is one environment variable; read puts its value into the configuration or says what is wrong and
// what would be right. White space around an exact value is part of it.
type variable struct {
	name  string
	exact bool
	read  func(c *Config, value string) error
}

var variables = []variable{
	{name: "KAFKA_BROKER_ADDRESSES", read: func(c *Config, value string) error {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				c.Brokers = append(c.Brokers, part)
			}
		}
		return nil
	}},
	{name: "KAFKA_GROUP_ID", read: text(func(c *Config) *string { return &c.Group })},
	{name: "KAFKA_MAX_MSGS_PER_PARTITION_BUFFERED_LOCALLY", read: func(c *Config, value string) (err error) {
		c.Backlog.Records, err = whole(value, 1, math.MaxInt32)
		return err
	}},
	{name: "KAFKA_POLLING_TIMEOUT", read: milliseconds(func(c *Config) *time.Duration { return &c.Fetch.MaxWait })},
	{name: "KAFKA_MAX_POLL_INTERVAL_MS", read: milliseconds(func(c *Config) *time.Duration { return &c.RebalanceTimeout })},
	{name: "KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE", read: func(c *Config, value string) error {
		skip, err := whole(value, 0, 1)
		if skip == 1 {
			c.Policy = append(supervisor.Policy{{
				Name: "KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE",
				On:   supervisor.Class(messages.ClassHandler),
				Do:   []supervisor.Directive{supervisor.Skip()},
			}}, supervisor.DefaultPolicy()...)
		}
		return err
	}},
	{name: "KAFKA_LOG_LEVEL", read: logLevel},
	{name: "KAFKA_TLS", read: func(c *Config, value string) error {
		on, err := whole(value, 0, 1)
		if on == 1 {
			c.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		return err
	}},
	{name: "KAFKA_TLS_CA_FILE", read: text(func(c *Config) *string { return &c.TLS.CAFile })},
	{name: "KAFKA_TLS_CERT_FILE", read: text(func(c *Config) *string { return &c.TLS.CertFile })},
	{name: "KAFKA_TLS_KEY_FILE", read: text(func(c *Config) *string { return &c.TLS.KeyFile })},
	{name: "KAFKA_SASL_MECHANISM", read: text(func(c *Config) *string { return &c.SASL.Mechanism })},
	{name: "KAFKA_SASL_USERNAME", read: text(func(c *Config) *string { return &c.SASL.User })},
	{name: "KAFKA_SASL_PASSWORD", exact: true, read: func(c *Config, value string) error {
		if strings.TrimSpace(value) != value {
			c.warnings = append(c.warnings, "ottla: KAFKA_SASL_PASSWORD begins or ends with white space, which is taken for a part of it: a file's last line end, for example, is to be left out")
		}
		c.SASL.Password = value
		return nil
	}},
	{name: "KAFKA_MAX_MESSAGES_PER_SECOND_PER_PARTITION", read: func(c *Config, value string) error {
		n, err := whole(value, 0, mostPerSecond)
		c.Limit.PerSecond = float64(n)
		return err
	}},
	ignored("KAFKA_POLL_BATCH_SIZE", "there is no poll; Config.Fetch bounds what is fetched in bytes"),
	ignored("KAFKA_DELIVERY_TIMEOUT", "it is a producer's, and this is a consumer"),
	ignored("KAFKA_BATCH_SIZE", "it is a producer's, and this is a consumer"),
	ignored("KAFKA_COMPRESSION_CODEC", "it is a producer's, and this is a consumer"),
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = value
		return nil
	}
}

func milliseconds(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := whole(value, 1, math.MaxInt32)
		*field(c) = time.Duration(n) * time.Millisecond
		return err
	}
}

func whole(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("it is no number from %d to %d: set it to one, or unset it", low, high)
	}
	return n, nil
}

func ignored(name, why string) variable {
	return variable{name: name, read: func(c *Config, value string) error {
		c.warnings = append(c.warnings, fmt.Sprintf("ottla: %s=%q has no effect: %s: unset it", name, value, why))
		return nil
	}}
}

// logLevels are syslog's, by the names that librdkafka's clients use.
var logLevels = map[string]slog.Level{
	"emerg": slog.LevelError, "alert": slog.LevelError, "crit": slog.LevelError, "err": slog.LevelError,
	"warning": slog.LevelWarn, "notice": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
}

func logLevel(c *Config, value string) error {
	level, ok := logLevels[strings.ToLower(value)]
	if !ok {
		return errors.New("it is no level: set it to Emerg, Alert, Crit, Err, Warning, Notice, Info or Debug, or unset it")
	}
	c.Logger = slog.New(&atLeast{slog.Default().Handler(), level})
	return nil
}

// atLeast drops what is below a level; it cannot show what the handler behind it drops.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h *atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

func (h *atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &atLeast{h.Handler.WithAttrs(attrs), h.level}
}

func (h *atLeast) WithGroup(name string) slog.Handler {
	return &atLeast{h.Handler.WithGroup(name), h.level}
}
