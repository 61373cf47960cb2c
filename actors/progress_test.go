package actors_test

import (
	"testing"

	. "github.com/ottla-go/ottla/actors"
)

// Two notes are the same if nothing of them differs, wherever the bytes of them lie.
func TestProgressEqual(t *testing.T) {
	whole := func() Progress {
		return Progress{Next: 1, Attempt: 2, Parked: true, Reason: "why", Finished: []byte{1, 2, 3}}
	}
	if !whole().Equal(whole()) || !(Progress{}).Equal(Progress{Finished: []byte{}}) {
		t.Error("equal ones differ")
	}
	for name, change := range map[string]func(p *Progress){
		"Next":     func(p *Progress) { p.Next++ },
		"Attempt":  func(p *Progress) { p.Attempt++ },
		"Parked":   func(p *Progress) { p.Parked = false },
		"Reason":   func(p *Progress) { p.Reason += "!" },
		"Finished": func(p *Progress) { p.Finished[1]++ },
	} {
		p := whole()
		if change(&p); p.Equal(whole()) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
