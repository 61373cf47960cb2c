package consumer

import (
	"errors"

	"github.com/ottla-go/ottla/supervisor"
)

// kafkaSettings adds the link to Kafka.
func kafkaSettings(c Config) (supervisor.Settings, error) {
	return settings(c), errors.New("being wired")
}
