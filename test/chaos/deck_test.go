package main

import "testing"

func TestDeckDealsAllOfThemAndTheSameForASeed(t *testing.T) {
	a, b := newDeck(7, 1, "a", "b", "c"), newDeck(7, 1, "a", "b", "c")
	for range 20 {
		seen := map[string]bool{}
		for range 3 {
			kind := a.deal()
			if other := b.deal(); other != kind {
				t.Errorf("the same seed deals %s and %s", kind, other)
			}
			seen[kind] = true
		}
		if len(seen) != 3 {
			t.Errorf("three cards of three kinds are %v", seen)
		}
	}
}
