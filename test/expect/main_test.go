package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const output = "started\nrecord 1\nrecord 2\nsummary: lost=0\n"
	for _, tt := range []struct{ name, expectations, want string }{
		{"in order", "^started$\n\n# a comment\nrecord 2\n^summary: lost=0$\n", ""},
		{"not there", "^started$\nrecord 3", `line 2: nothing from line 2 of the output's 4 on matches "record 3"`},
		{"in another order", "record 2\nrecord 1", "line 2: nothing from line 4"},
		{"one line is not two", "started\nstarted", "line 2: nothing from line 2"},
		{"lost", "lost=1", "line 1: nothing"},
		{"no regular expression", "(", "line 1: error parsing"},
		{"nothing expected", "# nothing\n", "expects nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := check(tt.expectations, output)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
