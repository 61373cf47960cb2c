//go:build race

package simulation

// byDefault: none. The race detector itself fails in some of these bubbles (Go 1.26.8 on linux/amd64: a failed check of
// tsan_rtl.cpp, or a segmentation violation, in the runtime's synctest.Run while it runs a bubble's timers; golang/go#78156). The parts
// are run under it by their own packages' tests.
const byDefault = 0
