// Package docs holds the guides. Its tests compile every Go snippet in them and in the README, follow their links, and compare
// what they say of configuration, policies and Kubernetes with the code.
package docs
