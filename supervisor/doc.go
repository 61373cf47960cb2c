// Package supervisor decides what a failing record means and owns the life of every claim.
package supervisor
