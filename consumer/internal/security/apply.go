package security

import (
	"errors"

	"github.com/IBM/sarama"
)

// Apply sets Net.TLS and Net.SASL of a sarama configuration. What is zero leaves sarama's settings as they are.
// All faults are reported together, as *[Fault]s joined by errors.Join.
func Apply(to *sarama.Config, t TLS, s SASL) error {
	return errors.Join(append(t.apply(to), s.apply(to)...)...)
}
