package consumer

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"unicode"
)

func (f *faults) brokers(list []string) {
	const remedy = `give host:port, for example "localhost:9092"`
	if len(list) == 0 {
		f.add("Brokers", "[]", "there is no broker to ask", remedy)
	}
	for i, b := range list {
		field := fmt.Sprintf("Brokers[%d]", i)
		host, port, err := net.SplitHostPort(b)
		number, notNumber := strconv.ParseUint(port, 10, 16)
		switch {
		case strings.Contains(b, "://"):
			f.add(field, strconv.Quote(b), "a broker has no scheme", remedy+"; TLS and SASL are fields of their own")
		case strings.ContainsFunc(b, unicode.IsSpace): // else it is dialled, and not found for ever
			f.add(field, strconv.Quote(b), "there is white space in it", "remove it: "+remedy)
		case err != nil || host == "" || notNumber != nil || number == 0:
			f.add(field, strconv.Quote(b), "it is no address", remedy)
		}
	}
}

// longestGroup is what the protocol's strings can hold.
const longestGroup = math.MaxInt16

func (f *faults) group(name string) {
	switch {
	case strings.TrimSpace(name) == "":
		f.add("Group", strconv.Quote(name), "there is no group", "name the consumer group")
	case len(name) > longestGroup:
		f.add("Group", fmt.Sprintf("%q… (%d bytes)", name[:20], len(name)), "no request can hold it", fmt.Sprintf("use %d bytes or fewer", longestGroup))
	}
}

// legalName is Kafka's rule for topics and instance ids (org.apache.kafka.common.internals.Topic.validate).
func legalName(s string) bool {
	const legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return s != "" && s != "." && s != ".." && len(s) <= 249 && strings.Trim(s, legal) == ""
}
