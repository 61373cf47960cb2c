package source

import (
	"math/rand/v2"
	"testing"
)

// TestSeclusionFindsTheBatch plays a log with a bad batch against the seclusion: every good batch before it is read,
// it alone is given up, and that takes few requests.
func TestSeclusionFindsTheBatch(t *testing.T) {
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 3))
		sizes := make([]int, 1+r.IntN(300))
		for i := range sizes {
			sizes[i] = 70 + r.IntN(40<<10)
		}
		bad := r.IntN(len(sizes))
		usual := 64<<10 + r.IntN(mib)

		var i seclusion
		i.seclude()
		at, requests := 0, 0
		for i.apart {
			if requests++; requests > 40+4*len(sizes) {
				t.Fatalf("seed %d: still at batch %d of %d after %d requests", seed, at, bad, requests)
			}
			most := i.cap(usual)
			end, sum := at, 0
			for end < len(sizes) && (end == at || sum+sizes[end] <= most) {
				sum += sizes[end]
				end++
			}
			if at <= bad && bad < end {
				if i.spoiled(most) {
					if at != bad {
						t.Fatalf("seed %d: batch %d is given up, %d is bad", seed, at, bad)
					}
					at = -1
				}
				continue
			}
			at = end
			i.passed(most, usual)
		}
		if at < 0 {
			continue // found
		}
		// It went back among the others before it got there: its own answers were as large as ever.
		if at > bad {
			t.Fatalf("seed %d: past the bad batch", seed)
		}
	}
}

func TestSeclusionOfTheHealthy(t *testing.T) {
	var i seclusion
	if i.cap(mib) != mib {
		t.Error("a healthy partition asks for less")
	}
	i.seclude()
	if !i.apart || i.cap(mib) != mib {
		t.Errorf("%+v asks for %d", i, i.cap(mib))
	}
	if i.passed(mib, mib); i.apart {
		t.Error("still apart after an answer of its own")
	}
}
