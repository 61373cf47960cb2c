package consumer

import (
	"bytes"
	"context"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// fromMap reads a configuration from a map.
func fromMap(env map[string]string) (Config, error) {
	return ConfigFromEnv(func(name string) string { return env[name] })
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		name, value string
		check       func(Config) bool
	}{
		{"KAFKA_BROKER_ADDRESSES", "a:1, b:2,,", func(c Config) bool { return slices.Equal(c.Brokers, []string{"a:1", "b:2"}) }},
		{"KAFKA_GROUP_ID", "billing", func(c Config) bool { return c.Group == "billing" }},
		{"KAFKA_MAX_MSGS_PER_PARTITION_BUFFERED_LOCALLY", "100", func(c Config) bool { return c.Backlog.Records == 100 }},
		{"KAFKA_POLLING_TIMEOUT", "1000", func(c Config) bool { return c.Fetch.MaxWait == time.Second }},
		{"KAFKA_MAX_POLL_INTERVAL_MS", "300000", func(c Config) bool { return c.RebalanceTimeout == 5*time.Minute }},
		{"KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE", "0", func(c Config) bool { return c.Policy == nil }},
		{"KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE", "1", func(c Config) bool { return c.Policy.Uses(messages.ActionSkip) }},
		{"KAFKA_LOG_LEVEL", "Warning", func(c Config) bool { return c.Logger != nil }},
		{"KAFKA_TLS", "0", func(c Config) bool { return !c.TLS.on() }},
		{"KAFKA_TLS", "1", func(c Config) bool { return c.TLS.on() && c.TLS.CAFile == "" }},
		{"KAFKA_TLS_CA_FILE", "/ca.pem", func(c Config) bool { return c.TLS.CAFile == "/ca.pem" }},
		{"KAFKA_TLS_CERT_FILE", "/c.pem", func(c Config) bool { return c.TLS.CertFile == "/c.pem" }},
		{"KAFKA_TLS_KEY_FILE", "/k.pem", func(c Config) bool { return c.TLS.KeyFile == "/k.pem" }},
		{"KAFKA_SASL_MECHANISM", "PLAIN", func(c Config) bool { return c.SASL.Mechanism == SASLPlain }},
		{"KAFKA_SASL_USERNAME", "u", func(c Config) bool { return c.SASL.User == "u" }},
		{"KAFKA_SASL_PASSWORD", "p", func(c Config) bool { return c.SASL.Password == "p" }},
		{"KAFKA_MAX_MESSAGES_PER_SECOND_PER_PARTITION", "0", func(c Config) bool { return c.Limit == Limit{} && len(c.Warnings()) == 0 }},
		{"KAFKA_MAX_MESSAGES_PER_SECOND_PER_PARTITION", "100", func(c Config) bool { return c.Limit == Limit{PerSecond: 100} }},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			seen[tt.name] = true
			c, err := fromMap(map[string]string{tt.name: tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(c) {
				t.Errorf("got %+v", c)
			}
		})
	}
	for _, name := range []string{"KAFKA_POLL_BATCH_SIZE", "KAFKA_DELIVERY_TIMEOUT", "KAFKA_BATCH_SIZE", "KAFKA_COMPRESSION_CODEC"} {
		seen[name] = true
		c, err := fromMap(map[string]string{name: "17"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := c.Warnings(); len(got) != 1 || !strings.Contains(got[0], name+`="17" has no effect`) || !strings.Contains(got[0], "unset it") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, v := range variables {
		if !seen[v.name] {
			t.Errorf("%s is not tested", v.name)
		}
	}
}

// White space belongs to a password, and to nothing else; whose password has some without wanting it is told.
func TestEnvironmentKeepsThePasswordAsItIs(t *testing.T) {
	for value, warned := range map[string]bool{"a b": false, " pass ": true, "pass\n": true} {
		c, err := fromMap(map[string]string{
			"KAFKA_SASL_PASSWORD": value, "KAFKA_SASL_USERNAME": " u ", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256\n", "KAFKA_GROUP_ID": " billing ",
		})
		if err != nil || c.SASL.Password != value || c.SASL.User != "u" || c.SASL.Mechanism != SASLScramSHA256 || c.Group != "billing" {
			t.Errorf("%q: got %q as %v, %v", value, c.SASL.Password, c.SASL, err)
		}
		got := c.Warnings()
		if (len(got) == 1) != warned || warned && (!strings.Contains(got[0], "KAFKA_SASL_PASSWORD") || strings.Contains(got[0], "pass")) {
			t.Errorf("%q: the warnings are %q", value, got)
		}
	}
}

// A rebalance that is over before its first heartbeat loses everything, each time.
func TestEnvironmentOfAShortRebalance(t *testing.T) {
	c, err := fromMap(map[string]string{"KAFKA_MAX_POLL_INTERVAL_MS": "5000"})
	if err != nil {
		t.Fatal(err)
	}
	ok := good()
	ok.RebalanceTimeout = c.RebalanceTimeout
	if err := ok.Validate(); err == nil || !strings.Contains(err.Error(), "RebalanceTimeout = 5s") || !strings.Contains(err.Error(), "KAFKA_MAX_POLL_INTERVAL_MS") {
		t.Errorf("got %v", err)
	}
}

func TestEnvironmentOfNothingIsTheZeroConfig(t *testing.T) {
	asked := map[string]bool{}
	c, err := ConfigFromEnv(func(name string) string { asked[name] = true; return " " })
	if err != nil || c.Brokers != nil || c.Group != "" || c.Policy != nil || c.Logger != nil || len(c.Warnings()) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	if len(asked) != len(variables) {
		t.Errorf("asked for %d variables of %d", len(asked), len(variables))
	}
}

func TestEnvironmentFaults(t *testing.T) {
	bad := map[string]string{
		"KAFKA_MAX_MSGS_PER_PARTITION_BUFFERED_LOCALLY": "0",
		"KAFKA_POLLING_TIMEOUT":                         "1s",
		"KAFKA_MAX_POLL_INTERVAL_MS":                    "-5",
		"KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE":         "yes",
		"KAFKA_LOG_LEVEL":                               "Verbose",
		"KAFKA_TLS":                                     "true",
		"KAFKA_MAX_MESSAGES_PER_SECOND_PER_PARTITION":   "-1",
	}
	for name, value := range bad {
		_, err := fromMap(map[string]string{name: value})
		if err == nil {
			t.Errorf("%s=%s is accepted", name, value)
			continue
		}
		for _, want := range []string{name, `"` + value + `"`, "set it to"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q misses %q", err, want)
			}
		}
	}
	_, err := fromMap(bad)
	if err == nil {
		t.Fatal("is accepted")
	}
	if got := len(strings.Split(err.Error(), "\n")); got != len(bad) {
		t.Errorf("%d faults together, want %d:\n%v", got, len(bad), err)
	}
}

// The variable keeps the meaning it had: what a handler answers is skipped, what it could not know of is not.
func TestEnvironmentSkipSkipsOnlyWhatHandlersAnswer(t *testing.T) {
	c, err := fromMap(map[string]string{"KAFKA_SKIP_ON_PROCESS_MESSAGE_FAILURE": "1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Policy.Validate(); err != nil {
		t.Error(err)
	}
	for class, want := range map[messages.Class]messages.Action{
		messages.ClassHandler: messages.ActionSkip,
		messages.ClassDecode:  messages.ActionRetry,
		messages.ClassPanic:   messages.ActionRestart,
		messages.ClassStore:   messages.ActionRetry,
	} {
		if got := c.Policy.Decide(messages.Failure{Class: class})[0]; got.Action != want {
			t.Errorf("%v: %+v, want %v", class, got, want)
		}
	}
}

func TestEnvironmentLogLevel(t *testing.T) {
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(before)
	for _, level := range slices.Sorted(maps.Keys(logLevels)) {
		out.Reset()
		c, err := fromMap(map[string]string{"KAFKA_LOG_LEVEL": strings.ToUpper(level)})
		if err != nil {
			t.Fatal(err)
		}
		logger := c.Logger.With("a", 1).WithGroup("g")
		for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			logger.Log(context.Background(), l, "line")
		}
		want := map[slog.Level]int{slog.LevelDebug: 3, slog.LevelInfo: 3, slog.LevelWarn: 2, slog.LevelError: 1}[logLevels[level]] // the handler behind it hides debug
		if got := strings.Count(out.String(), "msg=line a=1"); got != want {
			t.Errorf("%s: %d lines, want %d:\n%s", level, got, want, out.String())
		}
	}
}

func TestEnvironmentIsDocumented(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), "environ.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var doc string
	for _, group := range tree.Comments {
		if strings.HasPrefix(group.Text(), "ConfigFromEnv ") {
			doc = group.Text()
		}
	}
	for _, v := range variables {
		if !strings.Contains(doc, v.name) {
			t.Errorf("the comment of ConfigFromEnv does not name %s", v.name)
		}
	}
}
