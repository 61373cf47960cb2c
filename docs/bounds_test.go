package docs

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// between takes the bounds of a number apart: "1 or more", "1ms to 30s", and what may follow behind a comma.
var between = regexp.MustCompile(`^(\S+(?: MiB)?)(?: or more| to (\S+(?: MiB)?))(?:,.*)?$`)

// bounds are both bounds of a number or a time, as they stand in a table.
func bounds(t *testing.T, r row, of reflect.Type) (low, high int64) {
	t.Helper()
	m := between.FindStringSubmatch(r.bound)
	if m == nil {
		t.Fatalf("%s: %q are no bounds", r.where, r.bound)
	}
	read := func(text string) int64 {
		if of == reflect.TypeFor[time.Duration]() {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatalf("%s: %v", r.where, err)
			}
			return int64(d)
		}
		digits, mebi := strings.CutSuffix(text, " MiB")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", r.where, err)
		}
		if mebi {
			n <<= 20
		}
		return n
	}
	low, high = read(m[1]), math.MaxInt64
	if m[2] != "" {
		high = read(strings.TrimSuffix(m[2], ","))
	}
	return low, high
}

// outside says whether Validate finds a value of the field below or above its bounds; what it has to say of it beside
// others is another matter.
func outside(path []int, name string, value int64) bool {
	cfg := consumer.Config{}
	reflect.ValueOf(&cfg).Elem().FieldByIndex(path).SetInt(value)
	return regexp.MustCompile(`(?m)^ottla: Config\.` + regexp.QuoteMeta(name) + ` = \S+: it is (below|above) [0-9]`).
		MatchString(cfg.Validate().Error())
}

// TestDocsBounds: each bound is taken, and what lies just outside of it is refused.
func TestDocsBounds(t *testing.T) {
	text, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	said, checked := tables(string(text)), 0
	var check func(of reflect.Type, path []int, name string)
	check = func(of reflect.Type, path []int, name string) {
		for f := range of.Fields() {
			at, full := slices.Concat(path, f.Index), strings.TrimPrefix(name+"."+f.Name, ".")
			switch {
			case !f.IsExported():
			case f.Type.Kind() == reflect.Struct:
				check(f.Type, at, full)
			case f.Type.Kind() == reflect.Int, f.Type == reflect.TypeFor[time.Duration]():
				r, documented := said[of.String()][f.Name]
				if !documented {
					continue // TestDocsConfiguration tells
				}
				checked++
				low, high := bounds(t, r, f.Type)
				for value, want := range map[int64]bool{low: false, low - 1: true, high: false, high + 1: true} {
					if value == 0 || high == math.MaxInt64 && value == high+1 { // 0 is the default; above the highest there is nothing
						value, want = -1, true
					}
					if got := outside(at, full, value); got != want {
						t.Errorf("%s = %d: refused %v, want %v by the bounds %s", full, value, got, want, fmt.Sprint(low, " to ", high))
					}
				}
			}
		}
	}
	check(reflect.TypeFor[consumer.Config](), nil, "")
	if checked < 12 {
		t.Errorf("only %d bounds were tried", checked)
	}
}
