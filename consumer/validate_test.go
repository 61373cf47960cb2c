package consumer

import (
	"context"
	"crypto/tls"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func good() Config {
	return Config{
		Brokers: []string{"localhost:9092"}, Group: "billing", Topics: []string{"orders"},
		Handler: func(context.Context, *Record) error { return nil },
	}
}

type store struct{}

func (store) Acquire(context.Context, messages.Claim) (Position, error) { return Position{}, nil }

type advancer struct{ store }

func (advancer) Advance(context.Context, messages.Claim, int64, int64) error { return nil }

// wholeNew is what is written without a thought of what TLS and SASL have set.
func wholeNew(s *sarama.Config) {
	*s = *sarama.NewConfig()
	s.Metadata.AllowAutoTopicCreation = false
}

func producer() actor.Actor { return nil }

func TestValidateNamesFieldValueAndRemedy(t *testing.T) {
	skips := supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Skip())}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // parts of the one fault; none: valid
	}{
		{"good", func(*Config) {}, nil},
		{"no brokers", func(c *Config) { c.Brokers = nil }, []string{"Brokers", "[]", `give host:port`}},
		{"broker without port", func(c *Config) { c.Brokers = append(c.Brokers, "kafka") }, []string{"Brokers[1]", `"kafka"`, "give host:port"}},
		{"broker without host", func(c *Config) { c.Brokers[0] = ":9092" }, []string{"Brokers[0]", `":9092"`, "give host:port"}},
		{"broker with port 0", func(c *Config) { c.Brokers[0] = "kafka:0" }, []string{"Brokers[0]", `"kafka:0"`, "give host:port"}},
		{"broker with a large port", func(c *Config) { c.Brokers[0] = "kafka:65536" }, []string{"Brokers[0]", `"kafka:65536"`, "give host:port"}},
		{"broker with a name for port", func(c *Config) { c.Brokers[0] = "kafka:http" }, []string{"Brokers[0]", `"kafka:http"`, "give host:port"}},
		{"broker with scheme", func(c *Config) { c.Brokers[0] = "SASL_SSL://kafka:9092" }, []string{"Brokers[0]", `"SASL_SSL://kafka:9092"`, "no scheme", "TLS and SASL are fields"}},
		{"empty broker", func(c *Config) { c.Brokers[0] = "" }, []string{"Brokers[0]", `""`, "give host:port"}},
		{"IPv6", func(c *Config) { c.Brokers[0] = "[::1]:9092" }, nil},
		{"no group", func(c *Config) { c.Group = "" }, []string{"Group", `""`, "name the consumer group"}},
		{"broker after a comma and a space", func(c *Config) { c.Brokers = append(c.Brokers, " kafka:9092") }, []string{"Brokers[1]", `" kafka:9092"`, "white space", "remove it"}},
		{"broker before a line's end", func(c *Config) { c.Brokers[0] = "kafka:9092\n" }, []string{"Brokers[0]", `"kafka:9092\n"`, "white space", "remove it"}},
		{"blank group", func(c *Config) { c.Group = " \t" }, []string{"Group", `" \t"`, "name the consumer group"}},
		{"long group", func(c *Config) { c.Group = strings.Repeat("x", 32768) }, []string{"Group", `"xxxxxxxxxxxxxxxxxxxx"… (32768 bytes)`, "use 32767 bytes or fewer"}},
		{"longest group", func(c *Config) { c.Group = strings.Repeat("x", 32767) }, nil},
		{"no topics", func(c *Config) { c.Topics = nil }, []string{"Topics", "[]", "name at least one"}},
		{"pattern", func(c *Config) { c.Topics[0] = "orders.*" }, []string{"Topics[0]", `"orders.*"`, "patterns are not supported"}},
		{"empty topic", func(c *Config) { c.Topics[0] = "" }, []string{"Topics[0]", `""`, "use 1 to 249"}},
		{"dots", func(c *Config) { c.Topics[0] = ".." }, []string{"Topics[0]", `".."`, "use 1 to 249"}},
		{"long topic", func(c *Config) { c.Topics[0] = strings.Repeat("x", 250) }, []string{"Topics[0]", "xxx", "use 1 to 249"}},
		{"longest topic", func(c *Config) { c.Topics[0] = strings.Repeat("x", 249) }, nil},
		{"topic twice", func(c *Config) { c.Topics = []string{"a", "b", "a"} }, []string{"Topics[2]", `"a"`, "remove one"}},
		{"no handler", func(c *Config) { c.Handler = nil }, []string{"Handler", "nil", "set Handler or Actor"}},
		{"decoder without handler", func(c *Config) { c.Handler = JSON[int](nil) }, []string{"Handler", "nil", "set Handler or Actor"}},
		{"actor", func(c *Config) { c.Handler, c.Actor = nil, producer }, nil},
		{"handler and actor", func(c *Config) { c.Actor = producer }, []string{"Handler", "Actor is given too", "remove one"}},
		{"hooks with actor", func(c *Config) { c.Handler, c.Actor, c.Hooks.Lost = nil, producer, func(messages.Lost) {} }, []string{"Hooks", "no effect", "the actor receives"}},
		{"hooks", func(c *Config) { c.Hooks.Lost = func(messages.Lost) {} }, nil},
		{"policy and strategy", func(c *Config) { c.Policy, c.Strategy = skips, actor.DefaultSupervisorStrategy() }, []string{"Strategy", "Policy is given too", "remove one"}},
		{"policy's own faults", func(c *Config) { c.Policy = supervisor.Policy{supervisor.On(supervisor.Panic())} }, []string{"policy rule 1 (panic)", "no steps", "add a directive"}},

		{"negative records", func(c *Config) { c.Backlog.Records = -1 }, []string{"Backlog.Records", "-1", "use 1 or more"}},
		{"negative bytes", func(c *Config) { c.Backlog.Bytes = -1 }, []string{"Backlog.Bytes", "-1", "use 1 or more"}},
		{"negative total", func(c *Config) { c.Backlog.TotalBytes = -1 }, []string{"Backlog.TotalBytes", "-1", "use 1 or more"}},
		{"negative time of a park", func(c *Config) { c.Backlog.ShedAfter = -time.Second }, []string{"Backlog.ShedAfter", "-1s", "a very long one for never"}},
		{"total below one", func(c *Config) { c.Backlog.TotalBytes = 1 << 20 }, []string{"Backlog.TotalBytes", "1048576", "Backlog.Bytes, which is 8388608", "raise it, or lower Backlog.Bytes"}},
		{"one above total", func(c *Config) { c.Backlog.Bytes = 1 << 30 }, []string{"Backlog.TotalBytes", "268435456", "which is 1073741824", "raise it, or lower"}},
		{"negative wait", func(c *Config) { c.Fetch.MaxWait = -time.Second }, []string{"Fetch.MaxWait", "-1s", "below 1ms", "use 1ms to 30s"}},
		{"wait below the broker's clock", func(c *Config) { c.Fetch.MaxWait = time.Microsecond }, []string{"Fetch.MaxWait", "1µs", "below 1ms", "use 1ms to 30s"}},
		{"long wait", func(c *Config) { c.Fetch.MaxWait = time.Minute }, []string{"Fetch.MaxWait", "1m0s", "above 30s", "use 1ms to 30s"}},
		{"negative partition bytes", func(c *Config) { c.Fetch.PartitionBytes = -1 }, []string{"Fetch.PartitionBytes", "-1", "use 1 byte to 50 MiB"}},
		{"negative max bytes", func(c *Config) { c.Fetch.MaxBytes = -1 }, []string{"Fetch.MaxBytes", "-1", "use 1 byte to 50 MiB"}},
		{"more than sarama takes", func(c *Config) { c.Fetch.MaxBytes = 1 << 30 }, []string{"Fetch.MaxBytes", "1073741824", "above 52428800", "use 1 byte to 50 MiB"}},
		{"request below partition", func(c *Config) { c.Fetch.MaxBytes = 1000 }, []string{"Fetch.MaxBytes", "1000", "Fetch.PartitionBytes, which is 1048576", "raise it"}},
		{"negative connections", func(c *Config) { c.Fetch.Connections = -1 }, []string{"Fetch.Connections", "-1", "use 1 to 8"}},
		{"many connections", func(c *Config) { c.Fetch.Connections = 9 }, []string{"Fetch.Connections", "9", "use 1 to 8"}},
		{"negative interval", func(c *Config) { c.Commit.Interval = -1 }, []string{"Commit.Interval", "-1ns", "use 1ns for none"}},
		{"no interval", func(c *Config) { c.Commit.Interval = 1 }, nil},
		{"negative time of a handler", func(c *Config) { c.HandlerTimeout = -time.Second }, []string{"HandlerTimeout", "-1s", "use a positive time, or 0 for none"}},
		{"negative time of what is stuck", func(c *Config) { c.StuckAfter = -1 }, []string{"StuckAfter", "-1ns", "a very long one for never"}},
		{"negative drain", func(c *Config) { c.DrainTimeout = -1 }, []string{"DrainTimeout", "-1ns", "use a positive time"}},
		{"negative session", func(c *Config) { c.SessionTimeout = -time.Second }, []string{"SessionTimeout", "-1s", "use 1ms or more"}},
		{"huge session", func(c *Config) { c.SessionTimeout = 25 * 24 * time.Hour }, []string{"SessionTimeout", "600h0m0s", "above", "use"}},
		{"short session is a warning", func(c *Config) { c.SessionTimeout = 7 * time.Second }, nil},
		{"negative rebalance", func(c *Config) { c.RebalanceTimeout = -1 }, []string{"RebalanceTimeout", "-1ns", "use 1ms or more"}},
		{"negative heartbeat", func(c *Config) { c.HeartbeatInterval = -1 }, []string{"HeartbeatInterval", "-1ns", "use 1ms or more"}},
		{"slow heartbeat", func(c *Config) { c.HeartbeatInterval, c.RebalanceTimeout = 30*time.Second, 2*time.Minute }, []string{"HeartbeatInterval", "30s", "SessionTimeout, which is 45s", "lower it"}},
		{"session below the heartbeat", func(c *Config) { c.SessionTimeout = 5 * time.Second }, []string{"HeartbeatInterval", "3s", "SessionTimeout, which is 5s", "raise SessionTimeout"}},

		{"rebalance below three heartbeats", func(c *Config) { c.RebalanceTimeout = 9*time.Second - 1 }, []string{"RebalanceTimeout", "8.999999999s", "HeartbeatInterval, which is 3s", "raise it", "KAFKA_MAX_POLL_INTERVAL_MS", "lower HeartbeatInterval"}},
		{"rebalance of three heartbeats", func(c *Config) { c.RebalanceTimeout = 9 * time.Second }, nil},
		{"heartbeat above half of the rebalance", func(c *Config) { c.HeartbeatInterval, c.RebalanceTimeout = 20*time.Second, 30*time.Second }, []string{"RebalanceTimeout", "30s", "HeartbeatInterval, which is 20s"}},

		{"rate", func(c *Config) { c.Limit = Limit{PerSecond: 0.5, Burst: 3} }, nil},
		{"negative rate", func(c *Config) { c.Limit.PerSecond = -1 }, []string{"Limit.PerSecond", "-1", "use 0.00001 to 1e+06, or 0 for no limit"}},
		{"slowest rate", func(c *Config) { c.Limit.PerSecond = 0.000001 }, []string{"Limit.PerSecond", "1e-06", "use 0.00001"}},
		{"highest rate", func(c *Config) { c.Limit.PerSecond = 1e7 }, []string{"Limit.PerSecond", "1e+07", "use 0.00001"}},
		{"no number", func(c *Config) { c.Limit.PerSecond = math.NaN() }, []string{"Limit.PerSecond", "NaN", "use 0.00001"}},
		{"negative burst", func(c *Config) { c.Limit = Limit{PerSecond: 1, Burst: -1} }, []string{"Limit.Burst", "-1", "use 1 or more, or 0 for the default"}},
		{"burst of nothing", func(c *Config) { c.Limit.Burst = 1 }, []string{"Limit.Burst", "1", "set Limit.PerSecond, or remove it"}},

		{"isolation", func(c *Config) { c.Isolation = 2 }, []string{"Isolation", "Isolation(2)", "use ReadCommitted"}},
		{"commit mode", func(c *Config) { c.Commit.Mode = 9 }, []string{"Commit.Mode", "CommitMode(9)", "use CommitCoalesced"}},
		{"interval that nothing waits for", func(c *Config) { c.Commit = Commit{CommitEach, time.Second} }, []string{"Commit.Interval", "1s", "CommitEach", "no effect", "remove it, or set Commit.Mode"}},
		{"each", func(c *Config) { c.Commit.Mode = CommitEach }, nil},
		{"start", func(c *Config) { c.Offsets.Start = -7 }, []string{"Offsets.Start", "Choice(-7)", "use Earliest"}},
		{"out of range", func(c *Config) { c.Offsets.OutOfRange = -7 }, []string{"Offsets.OutOfRange", "Choice(-7)", "use Earliest"}},
		{"zero balance", func(c *Config) { c.Balance = []Balance{0} }, []string{"Balance[0]", "Balance(0)", "use CooperativeSticky"}},
		{"unknown balance", func(c *Config) { c.Balance = []Balance{Range, 9} }, []string{"Balance[1]", "Balance(9)", "use CooperativeSticky"}},
		{"balance twice", func(c *Config) { c.Balance = []Balance{Range, Sticky, Range} }, []string{"Balance[2]", "range", "remove one"}},
		{"balance", func(c *Config) { c.Balance = []Balance{CooperativeSticky, Range, RoundRobin, Sticky} }, nil},
		{"instance", func(c *Config) { c.InstanceID = "pod-1" }, nil},
		{"instance with a slash", func(c *Config) { c.InstanceID = "pod/1" }, []string{"InstanceID", `"pod/1"`, "use 1 to 249"}},

		{"also to Kafka without a store", func(c *Config) { c.Offsets.AlsoToKafka = true }, []string{"Offsets.AlsoToKafka", "true", "remove it, or set Offsets.Store"}},
		{"store without start", func(c *Config) { c.Offsets.Store = store{} }, []string{"Offsets.Start", "unset", "consumer.store", "choose Earliest"}},
		{"store", func(c *Config) { c.Offsets.Store, c.Offsets.Start = store{}, Earliest }, nil},
		{"store with commit mode", func(c *Config) { c.Offsets.Store, c.Offsets.Start, c.Commit.Mode = store{}, Earliest, CommitEach }, []string{"Commit", "CommitEach", "no effect", "set Offsets.AlsoToKafka"}},
		{"store, also to Kafka, with commit mode", func(c *Config) {
			c.Offsets, c.Commit.Mode = Offsets{Store: store{}, Start: Fail, AlsoToKafka: true}, CommitEach
		}, nil},
		{"dead letters to no topic", func(c *Config) { c.Policy = deadLetters("or ders") }, []string{"Policy", `DeadLetter("or ders")`, "no name of a topic", "use letters"}},
		{"dead letters to ..", func(c *Config) { c.Policy = deadLetters("..") }, []string{"Policy", "no name of a topic"}},
		{"dead letters to the input", func(c *Config) { c.Policy = deadLetters("orders") }, []string{"Policy", `DeadLetter("orders")`, "come back at once", "name another topic"}},
		{"dead letters elsewhere", func(c *Config) { c.Policy, c.DeadLetters = deadLetters("or ders"), elsewhere{} }, nil},
		{"dead letters elsewhere, created", func(c *Config) {
			c.Policy, c.DeadLetters, c.CreateDeadLetterTopics = deadLetters("x"), elsewhere{}, true
		}, []string{"CreateDeadLetterTopics", "DeadLetters is given", "remove one"}},
		{"no dead letters, created", func(c *Config) { c.CreateDeadLetterTopics = true }, []string{"CreateDeadLetterTopics", "dead-letters nothing", "remove it"}},
		{"dead letters with a store", func(c *Config) { c.Offsets, c.Policy = Offsets{Store: store{}, Start: Latest}, deadLetters("x") }, []string{"Policy", "DeadLetter", "consumer.store", "consumer.Advancer"}},
		{"a rule for another topic", func(c *Config) {
			c.Policy = supervisor.Policy{supervisor.On(supervisor.Topic("orders", "odrers"), supervisor.Skip())}
		}, []string{"Policy", `Topic("odrers")`, `["orders"]`, "correct the name"}},
		{"skip with a store", func(c *Config) { c.Offsets, c.Policy = Offsets{Store: store{}, Start: Latest}, skips }, []string{"Policy = Skip", "consumer.store", "consumer.Advancer", "use Park"}},
		{"skip with an advancer", func(c *Config) { c.Offsets, c.Policy = Offsets{Store: advancer{}, Start: Latest}, skips }, nil},

		{"unreadable CA", func(c *Config) { c.TLS.CAFile = "/no/such.pem" }, []string{"TLS.CAFile", `"/no/such.pem"`, "no such file", "give the path"}},
		{"empty CA", func(c *Config) { c.TLS.CAFile = empty }, []string{"TLS.CAFile", "empty.pem", "no certificate", "give the path"}},
		{"certificate without key", func(c *Config) { c.TLS.CertFile = empty }, []string{"TLS.CertFile", "empty.pem", "set TLS.KeyFile"}},
		{"TLS", func(c *Config) { c.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS13} }, nil},
		{"unknown mechanism", func(c *Config) { c.SASL = SASL{Mechanism: "MD5", User: "u", Password: "geheim"} }, []string{"SASL.Mechanism", `"MD5"`, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"}},
		{"no mechanism", func(c *Config) { c.SASL = SASL{User: "u", Password: "geheim"} }, []string{"SASL.Mechanism", `""`, "set it to"}},
		{"no token", func(c *Config) { c.SASL = SASL{Mechanism: SASLOAuthBearer} }, []string{"SASL.Token", "set a function"}},

		{"sarama: read", func(c *Config) {
			c.Sarama = func(s *sarama.Config) {
				s.Net.DialTimeout, s.Version, s.ClientID, s.RackID, s.Metadata.RefreshFrequency = 1, sarama.V4_0_0_0, "x", "y", 0
			}
		}, nil},
		{"sarama: a whole new one", func(c *Config) { c.Sarama = wholeNew }, nil},
		{"sarama: a whole new one, and TLS", func(c *Config) {
			c.TLS.Config, c.Sarama = &tls.Config{}, wholeNew
		}, []string{"Sarama", "Net.TLS.Enable = false", "Config.TLS is set", "nothing would be encrypted", "leave Config.TLS out"}},
		{"sarama: a whole new one, and SASL", func(c *Config) {
			c.SASL, c.Sarama = SASL{Mechanism: SASLScramSHA256, User: "u", Password: "geheim"}, wholeNew
		}, []string{"Sarama", "Net.SASL.Enable = false", "Config.SASL is set", "leave Config.SASL out"}},
		{"sarama: another TLS configuration", func(c *Config) {
			c.TLS.ServerName, c.Sarama = "kafka", func(s *sarama.Config) { s.Net.TLS.Config = &tls.Config{} }
		}, []string{"Sarama", "replaces Net.TLS.Config", "Config.TLS is set", "leave Config.TLS out"}},
		{"sarama: another user", func(c *Config) {
			c.SASL = SASL{Mechanism: SASLPlain, User: "u", Password: "geheim"}
			c.Sarama = func(s *sarama.Config) { s.Net.SASL.User, s.Net.SASL.Password = "v", "geheimer" }
		}, []string{"Sarama", "replaces Net.SASL.User, Net.SASL.Password", "Config.SASL is set"}},
		{"sarama: no SCRAM", func(c *Config) {
			c.SASL = SASL{Mechanism: SASLScramSHA512, User: "u", Password: "geheim"}
			c.Sarama = func(s *sarama.Config) { s.Net.SASL.SCRAMClientGeneratorFunc = nil }
		}, []string{"Sarama", "replaces Net.SASL.SCRAMClientGeneratorFunc"}},
		{"sarama: another token", func(c *Config) {
			c.SASL = SASL{Mechanism: SASLOAuthBearer, Token: func(context.Context) (string, error) { return "geheim", nil }}
			c.Sarama = func(s *sarama.Config) { s.Net.SASL.TokenProvider = nil }
		}, []string{"Sarama", "replaces Net.SASL.TokenProvider"}},
		{"sarama: beside TLS and SASL", func(c *Config) {
			c.TLS.Config, c.SASL = &tls.Config{}, SASL{Mechanism: SASLScramSHA512, User: "u", Password: "geheim"}
			c.Sarama = func(s *sarama.Config) {
				s.Net.TLS.Config.ServerName, s.Net.SASL.AuthIdentity, s.Net.DialTimeout = "kafka", "x", 1
			}
		}, nil},
		{"sarama: all of TLS and SASL", func(c *Config) {
			c.Sarama = func(s *sarama.Config) {
				s.Net.TLS.Enable, s.Net.SASL.Enable, s.Net.SASL.User, s.Net.SASL.Password = true, true, "u", "geheim"
			}
		}, nil},
		{"sarama: creates topics", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Metadata.AllowAutoTopicCreation = true } },
			[]string{"Sarama", "Metadata.AllowAutoTopicCreation = true", "set it to false"}},
		{"sarama: consumer", func(c *Config) {
			c.Sarama = func(s *sarama.Config) { s.Consumer.Offsets.Initial = sarama.OffsetOldest }
		},
			[]string{"Sarama", "Consumer.Offsets.Initial", "no effect", "set Config.Offsets.Start"}},
		{"sarama: nested", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Consumer.Offsets.AutoCommit.Enable = false } },
			[]string{"Sarama", "Consumer.Offsets.AutoCommit.Enable", "no effect", "set Config.Commit"}},
		{"sarama: strategies", func(c *Config) {
			c.Sarama = func(s *sarama.Config) {
				s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
			}
		}, []string{"Sarama", "GroupStrategies", "no effect", "set Config.Balance"}},
		{"sarama: function", func(c *Config) {
			c.Sarama = func(s *sarama.Config) { s.Producer.Partitioner = sarama.NewManualPartitioner }
		}, []string{"Sarama", "Producer.Partitioner", "no effect", "leave it"}},
		{"sarama: buffer", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.ChannelBufferSize = 0 } }, []string{"ChannelBufferSize", "set Config.Backlog"}},
		{"sarama: old version", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Version = sarama.V0_11_0_0 } }, []string{"Sarama", "Version = 0.11.0.0", "below 2.4.0", "set the brokers'"}},
		{"sarama: what sarama refuses", func(c *Config) { c.Sarama = func(s *sarama.Config) { s.Net.MaxOpenRequests = 0 } }, []string{"Sarama", "Net.MaxOpenRequests", "change that"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.change(&c)
			err := c.Validate()
			if len(tt.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("is accepted")
			}
			faults := strings.Split(err.Error(), "\n")
			if len(faults) != 1 {
				t.Errorf("%d faults, want 1:\n%v", len(faults), err)
			}
			for _, part := range append(tt.want, "ottla: ") {
				if !strings.Contains(faults[0], part) {
					t.Errorf("%q misses %q", faults[0], part)
				}
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("tells the password: %v", err)
			}
		})
	}
}

func TestValidateReportsAllFaultsTogether(t *testing.T) {
	err := Config{
		Backlog: Backlog{Records: -1}, Balance: []Balance{99}, TLS: TLS{CAFile: "/none"}, SASL: SASL{Mechanism: "x"},
		Offsets: Offsets{Store: store{}}, Policy: supervisor.Policy{supervisor.On(supervisor.Any())},
		Sarama: func(s *sarama.Config) { s.Consumer.MaxWaitTime, s.Admin.Timeout = 1, 1 },
	}.Validate()
	if err == nil {
		t.Fatal("is accepted")
	}
	for _, want := range []string{
		"Config.Brokers", "Config.Group", "Config.Topics", "Config.Handler", "policy rule 1", "Config.Backlog.Records", "Config.Balance[0]",
		"Config.Offsets.Start", "Config.TLS.CAFile", "Config.SASL.Mechanism", "changes Consumer.MaxWaitTime", "changes Admin.Timeout",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in\n%v", want, err)
		}
	}
}

func deadLetters(to string) supervisor.Policy {
	return supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter(to))}
}

type elsewhere struct{}

func (elsewhere) WriteDeadLetter(context.Context, *messages.DeadLetter) error { return nil }
