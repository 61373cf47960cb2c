// Package security turns a user's TLS and SASL settings into sarama's, and sarama's errors into ones that say
// what to do.
//
// Settings are checked before anything connects: files are read, certificates parsed, names and passwords
// prepared. All faults are reported together, each as a [Fault] that names field, value and remedy. What only
// a broker can refuse comes as an error of the first request, often a bare one ("unexpected EOF"): [Explain]
// adds the remedy.
package security
