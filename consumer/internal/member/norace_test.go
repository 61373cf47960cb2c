//go:build !race

package member

const slower = 1
