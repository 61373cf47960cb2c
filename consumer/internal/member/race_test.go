//go:build race

package member

// slower: the race detector makes a day too long for a test.
const slower = 6
