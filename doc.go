// Package ottla is the root of Ottla: supervised Kafka consumers, in which every partition is an actor. There is
// nothing to import here; start with package consumer.
//
//   - github.com/ottla-go/ottla/consumer: the face. Config, New, Run, Props; handlers and hooks.
//   - github.com/ottla-go/ottla/messages: what handlers and actors see. Record, outcomes, lifecycle, status.
//   - github.com/ottla-go/ottla/supervisor: what a failure means. Policy, rules, directives.
//   - github.com/ottla-go/ottla/consumer/consumertest: your supervision in a test, without a broker.
//   - github.com/ottla-go/ottla/actors: the machinery of a partition; for those who read on.
//
// actors_test.go beside this file shows, row by row, what Ottla has of its ancestor. docs/design.md says how it is
// built and where to look.
package ottla
