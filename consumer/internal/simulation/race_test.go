//go:build race

package simulation

// slower: the race detector makes a schedule last five times as long.
const slower = 5
