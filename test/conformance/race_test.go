//go:build race

package conformance

// raced tells that the race detector is at work, which needs the processors itself.
const raced = true
