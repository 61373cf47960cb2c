package actors_test

import (
	"slices"
	"testing"

	. "github.com/ottla-go/ottla/actors"
)

// 10 is the committed offset. 12, 16 to 19, and 21 hold no record, nor does what lies behind 25.
func TestACoverGoesOverHoles(t *testing.T) {
	var c Cover
	for range 2 {
		c.Unfinished(10)
		c.Finished(11)
		c.Finished(13)
		c.Unfinished(14)
		c.Finished(15)
		c.Unfinished(20)
		c.Unfinished(22)
		c.Unfinished(23)
		c.Finished(25)
		want := []Span{{11, 13}, {15, 19}, {21, 21}, {24, 25}}
		if got := c.Spans(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		c.Unfinished(30)
		c.Unfinished(40)
		want[3].Last = 29
		if got := c.Spans(); !slices.Equal(got, want) {
			t.Errorf("behind the last finished record: %v, want %v", got, want)
		}
		c.Reset()
		if got := c.Spans(); len(got) != 0 {
			t.Errorf("%v after Reset", got)
		}
	}
}

// Where nothing is finished there are no spans, whatever holes there are.
func TestACoverOfNothingFinished(t *testing.T) {
	var c Cover
	for o := int64(10); o < 100; o += 3 {
		c.Unfinished(o)
	}
	if got := c.Spans(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// What was not received yet is no hole.
func TestACoverOfAnEarlierOwnersSpans(t *testing.T) {
	want := []Span{{21, 29}, {50, 59}, {70, 70}}
	var c Cover
	c.Unfinished(20) // received; 21 to 29 are finished, and nothing behind 32 was received
	c.Finished(29)
	c.Unfinished(30)
	c.Unfinished(31)
	c.Unfinished(32)
	c.Unreceived(33, 49)
	c.Finished(59)
	c.Unreceived(60, 69)
	c.Finished(70)
	if got := c.Spans(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
