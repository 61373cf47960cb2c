// Package docs holds the guides; its test compiles every Go snippet in them and in the README.
package docs
