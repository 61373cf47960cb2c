package consumer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

// defaultVersion bounds the versions of requests; to a broker that offers less, less is sent.
var defaultVersion = sarama.V3_6_0_0

// oldestVersion has the requests that the group protocol needs (KIP-345 static members, KIP-429 cooperative
// rebalances) and the fetches that follow leaders.
var oldestVersion = sarama.V2_4_0_0

// SaramaConfig is the configuration that the consumer connects with: what TLS, SASL and Sarama say, and the version of the
// requests. It is for tools beside the consumer that are to reach the same brokers in the same way; it is a copy, and changes
// nothing. The error is as that of [Config.Validate], as far as these fields are concerned.
func (c Config) SaramaConfig() (*sarama.Config, error) {
	s, faults := c.saramaConfig()
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// saramaConfig is the configuration that dials, and the faults that come to light on the way.
func (c Config) saramaConfig() (*sarama.Config, []error) {
	before, s, faults := c.dialing()
	if c.Sarama == nil {
		return s, faults
	}
	faults = append(faults, c.undone(before, s)...)
	for _, path := range changed("", reflect.ValueOf(*before), reflect.ValueOf(*s)) {
		if _, tolerated := idle(path); !tolerated {
			faults = append(faults, fmt.Errorf("ottla: Config.Sarama changes %s, which has no effect: %s", path, instead(path)))
		}
	}
	if s.Metadata.AllowAutoTopicCreation {
		faults = append(faults, errors.New("ottla: Config.Sarama sets Metadata.AllowAutoTopicCreation = true, which has no effect: topics are not created by asking for them; set it to false"))
	}
	if !s.Version.IsAtLeast(oldestVersion) {
		faults = append(faults, fmt.Errorf("ottla: Config.Sarama sets Version = %v: it is below %v, whose requests the group protocol needs: set the brokers' version", s.Version, oldestVersion))
	}
	if len(faults) == 0 { // else sarama would tell the same again in other words
		if err := s.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("ottla: Config.Sarama: sarama refuses the result: %w: change that setting", err))
		}
	}
	return s, faults
}

// dialing makes the configuration: ours, then TLS and SASL, which is before; then what the user's function changes.
// The faults are those of TLS and SASL.
func (c Config) dialing() (before, after *sarama.Config, faults []error) {
	before = sarama.NewConfig()
	before.Version = defaultVersion
	before.ClientID = "ottla"
	before.Metadata.AllowAutoTopicCreation = false
	for _, err := range split(security.Apply(before, security.TLS(c.TLS), security.SASL(c.SASL))) {
		faults = append(faults, fmt.Errorf("ottla: Config.%w", err))
	}
	changing := *before
	if c.Sarama != nil {
		c.Sarama(&changing)
	}
	return before, &changing, faults
}

// split takes joined errors apart.
func split(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	default:
		return []error{err}
	}
}

// idleChanges lists the changed settings that are accepted and have no effect, each with the reason.
func idleChanges(before, after *sarama.Config) (list []string) {
	for _, path := range changed("", reflect.ValueOf(*before), reflect.ValueOf(*after)) {
		if why, ok := idle(path); ok && path != "Metadata.AllowAutoTopicCreation" {
			list = append(list, fmt.Sprintf("changes %s, which has no effect: %s", path, why))
		}
	}
	return list
}

// read says that a setting has an effect here: all of sarama's connections, but for what idle lists.
func read(path string) bool {
	if _, ok := idle(path); ok {
		return false
	}
	return strings.HasPrefix(path, "Net.") || slices.Contains([]string{"Version", "ClientID", "MetricRegistry"}, path)
}

// idle tells why a setting that belongs to what may be changed has no effect all the same. It is no fault: who
// brings a configuration along that serves other clients too has set it with reason.
func idle(path string) (why string, ok bool) {
	switch {
	case path == "RackID":
		return "records are read from leaders only", true
	case path == "Net.ReadTimeout":
		return "each request has a deadline of its own", true
	case path == "Net.MaxOpenRequests":
		return "each connection carries one request at a time", true
	case path == "Net.ResolveCanonicalBootstrapServers":
		return "brokers are dialled as Config.Brokers names them", true
	case strings.HasPrefix(path, "Metadata."):
		return "the cluster is asked when something has changed, and until it answers", true
	default:
		return "", false
	}
}

// instead tells what to do about a changed setting that nothing reads.
func instead(path string) string {
	for _, own := range []struct{ theirs, ours string }{
		{"Consumer.Group.Session.Timeout", "SessionTimeout"},
		{"Consumer.Group.Heartbeat.Interval", "HeartbeatInterval"},
		{"Consumer.Group.Rebalance.Timeout", "RebalanceTimeout"},
		{"Consumer.Group.Rebalance.GroupStrategies", "Balance"},
		{"Consumer.Group.Rebalance.Strategy", "Balance"},
		{"Consumer.Group.InstanceId", "InstanceID"},
		{"Consumer.Group.ResetInvalidOffsets", "Offsets.OutOfRange"},
		{"Consumer.Offsets.Initial", "Offsets.Start"},
		{"Consumer.Offsets.AutoCommit", "Commit"},
		{"Consumer.Offsets.CommitInterval", "Commit"},
		{"Consumer.Fetch", "Fetch"},
		{"Consumer.MaxWaitTime", "Fetch.MaxWait"},
		{"Consumer.IsolationLevel", "Isolation"},
		{"ChannelBufferSize", "Backlog"},
	} {
		if path == own.theirs || strings.HasPrefix(path, own.theirs+".") {
			return "leave it as it is, and set Config." + own.ours
		}
	}
	return "leave it as it is"
}

// changed lists the settings in which two configurations differ, but for those that have an effect.
func changed(path string, a, b reflect.Value) []string {
	switch {
	case read(path):
		return nil
	case a.Kind() == reflect.Struct && (path == "" || a.Type().Name() == ""): // sarama's name spaces are nameless structs
		var list []string
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			list = append(list, changed(name, a.Field(i), b.Field(i))...)
		}
		return list
	case same(a, b):
		return nil
	default:
		return []string{path}
	}
}

// same compares as reflect.DeepEqual does, but for functions, which it compares by their code: two new
// configurations hold equal strategies and partitioners that DeepEqual would call different.
func same(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Func:
		return a.Pointer() == b.Pointer()
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || !a.IsNil() && !b.IsNil() && same(a.Elem(), b.Elem())
	case reflect.Interface:
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map, reflect.Chan, reflect.UnsafePointer:
		return a.Pointer() == b.Pointer()
	default:
		return a.Equal(b)
	}
}
