package consumer

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/IBM/sarama"
)

// undone finds what the user's function has taken away of what TLS and SASL had set. It happens without a bad
// intention, where a function puts a whole configuration in the place of ours; connections would then be in clear, or
// somebody else's, and nothing would say so.
func (c Config) undone(before, after *sarama.Config) (faults []error) {
	const remedy = "change single settings of what the function is given and leave these alone, or leave Config.%s out and set all of Net.%s there"
	tell := func(field, what, problem string) {
		faults = append(faults, fmt.Errorf("ottla: Config.Sarama %s, but Config.%s is set: %s: "+remedy, what, field, problem, field, field))
	}
	if was, is := before.Net.TLS, after.Net.TLS; c.TLS.on() {
		switch {
		case !is.Enable:
			tell("TLS", "sets Net.TLS.Enable = false", "nothing would be encrypted")
		case is.Config != was.Config:
			tell("TLS", "replaces Net.TLS.Config", "what Config.TLS says would be lost")
		}
	}
	if c.SASL.on() {
		if !after.Net.SASL.Enable {
			tell("SASL", "sets Net.SASL.Enable = false", "nobody would be authenticated")
		} else if list := replaced(reflect.ValueOf(before.Net.SASL), reflect.ValueOf(after.Net.SASL)); len(list) > 0 {
			tell("SASL", "replaces "+strings.Join(list, ", "), "who is authenticated would be another, or nobody")
		}
	}
	return faults
}

// replaced lists what of Net.SASL says who we are and is not as it was. What else there is of it, Config.SASL does
// not say; nor are the values told, of which one is a password.
func replaced(before, after reflect.Value) (list []string) {
	for _, name := range []string{"Mechanism", "User", "Password", "SCRAMClientGeneratorFunc", "TokenProvider"} {
		if !same(before.FieldByName(name), after.FieldByName(name)) {
			list = append(list, "Net.SASL."+name)
		}
	}
	return list
}

// inClear tells which secret would cross the network as it is, if any.
func inClear(s *sarama.Config) (secret string) {
	if !s.Net.SASL.Enable || s.Net.TLS.Enable {
		return ""
	}
	switch s.Net.SASL.Mechanism {
	case SASLPlain, "": // sarama takes none for PLAIN
		return "the password"
	case SASLOAuthBearer:
		return "the token"
	default:
		return ""
	}
}
