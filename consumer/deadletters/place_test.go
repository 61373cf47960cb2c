package deadletters

import "testing"

func TestParsePlace(t *testing.T) {
	for _, p := range []Place{{"orders.dlt", 3, 17}, {"t", 0, 0}, {"a_b-c.d", 2147483647, 9223372036854775807}} {
		if got, err := ParsePlace(p.String()); err != nil || got != p {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}
	for _, s := range []string{"", "t", "t/1", "t@1", "/1@2", "t/@2", "t/1@", "t/-1@2", "t/1@-2", "t/1@2@3", "t/2147483648@1", "t@1/2", "t/1@9223372036854775808"} {
		if got, err := ParsePlace(s); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// A header of ours, written by anybody: what is taken for a place is written back as the same one.
func FuzzParsePlace(f *testing.F) {
	f.Add("orders.dlt/3@17")
	f.Add("t/1@2@3")
	f.Add("/0@0")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			return
		}
		if again, err := ParsePlace(p.String()); err != nil || again != p {
			t.Errorf("%q: %v, then %v, %v", s, p, again, err)
		}
	})
}
