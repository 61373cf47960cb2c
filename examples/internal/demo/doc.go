// Package demo is what the examples share, so that each of them shows only its own point: a broker in this
// process, a producer of orders, and a tally of what the handlers saw.
package demo
