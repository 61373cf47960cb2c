//go:build !race

package simulation

const byDefault = 500
