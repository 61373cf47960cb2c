// Package wire turns a consumer.Config into the supervisor's settings. It is shared by package consumer, which
// fills the hooks in, and by the test kit, which runs the same settings on a script in the place of Kafka.
package wire

import "github.com/ottla-go/ottla/supervisor"

// Settings makes the settings of a consumer.Config, with defaults, but without Connect. relaxed does without
// Brokers, Group and Topics. Package consumer sets it when it is initialised; it is a variable because this
// package cannot import the one that imports it.
var Settings func(config any, relaxed bool) (supervisor.Settings, error)
