package main

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]line{
		"done partition=3 offset=42 key=r0000007 attempt=1": {what: done, partition: 3, offset: 42, key: "r0000007", attempt: 1, at: time.Unix(0, 0)},
		"assigned partition=3 generation=7 at=1000000000":   {what: assigned, partition: 3, at: time.Unix(1, 0)},
		"revoked partition=11 at=1000000000":                {what: revoked, partition: 11, at: time.Unix(1, 0)},
		"lost partition=11 at=1000000000":                   {what: lost, partition: 11, at: time.Unix(1, 0)},
	} {
		if got, ok := parse(text); !ok || got != want {
			t.Errorf("%s: got %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "done", "done partition=3 offset=42", "stopped by a signal: 3 records were processed"} {
		if got, ok := parse(text); ok {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}
