package docs

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/supervisor"
)

// row is what configuration.md says of one field.
type row struct {
	where           string // type.Field
	fallback, bound string // the cells for default and bounds
}

var (
	heading = regexp.MustCompile("^#+ `([a-z]+\\.[A-Z]\\w*)`$")
	field   = regexp.MustCompile("^\\| `(\\w+)` \\|([^|]*)\\|([^|]*)\\|.*\\|$")
)

// tables reads the tables of fields: by struct, then by field. Any other heading ends a struct's.
func tables(text string) map[string]map[string]row {
	found := map[string]map[string]row{}
	at := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			at = ""
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			at = m[1]
			found[at] = map[string]row{}
		}
		if m := field.FindStringSubmatch(line); m != nil && at != "" {
			found[at][m[1]] = row{at + "." + m[1], strings.Trim(strings.TrimSpace(m[2]), "`"), strings.TrimSpace(m[3])}
		}
	}
	return found
}

// structs are those that a configuration is made of, by name, each as an empty one comes to. New ones are found by
// themselves, where a field leads to them.
func structs() map[string]reflect.Value {
	found := map[string]reflect.Value{}
	var add func(v reflect.Value)
	add = func(v reflect.Value) {
		if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
			v = reflect.New(v.Type().Elem()).Elem()
		}
		name := v.Type().String()
		if _, known := found[name]; known || v.Kind() != reflect.Struct || len(exported(v.Type())) == 0 {
			return
		}
		found[name] = v
		for _, f := range exported(v.Type()) {
			add(v.FieldByName(f))
		}
	}
	add(reflect.ValueOf(consumer.Config{}.WithDefaults()))
	empty := supervisor.Backoff{} // its defaults show only in what it does
	found["supervisor.Backoff"] = reflect.ValueOf(supervisor.Backoff{
		Base: empty.Delay(1), Factor: float64(empty.Delay(2)) / float64(empty.Delay(1)), Max: empty.Delay(1 << 40),
	})
	return found
}

func exported(of reflect.Type) (names []string) {
	for f := range of.Fields() {
		if f.IsExported() {
			names = append(names, f.Name)
		}
	}
	return names
}

// shown writes a value as a table does.
func shown(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case supervisor.Policy:
		if value.Explain() == supervisor.DefaultPolicy().Explain() {
			return "supervisor.DefaultPolicy()"
		}
	case *slog.Logger:
		if value == slog.Default() {
			return "slog.Default()"
		}
	case supervisor.Jitter:
		if value == supervisor.NoJitter {
			return "NoJitter"
		}
	case time.Duration:
		text := value.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
		return text
	case int:
		if value > 0 && value%(1<<20) == 0 {
			return fmt.Sprintf("%d MiB", value>>20)
		}
	}
	return fmt.Sprint(v.Interface())
}

// faults are what is wrong with what is said of one struct.
func (r row) faults(v reflect.Value) string {
	refused := func() bool { // an empty one is refused for this field
		if r.where == "supervisor.Rule.On" || r.where == "supervisor.Rule.Do" {
			return supervisor.Policy{supervisor.Rule{}}.Validate() != nil
		}
		return strings.Contains(consumer.Config{}.Validate().Error(), "ottla: "+strings.TrimPrefix(r.where, "consumer.")+" = ")
	}
	switch said := r.fallback; {
	case r.where == "supervisor.Rule.Name":
		rule := supervisor.On(supervisor.Panic(), supervisor.Skip())
		if of := (supervisor.Policy{rule}).Explain(); rule.Name != "" || said != "its matcher's text" || !strings.Contains(of, rule.On.String()) {
			return fmt.Sprintf("%q, and a rule without a name explains itself so: %s", said, of)
		}
	case strings.HasPrefix(said, "required"):
		if !refused() {
			return "is said to be required, and is not"
		}
	case refused() && r.where != "consumer.Config.Actor": // one of both
		return "is required, which is not said"
	case strings.HasPrefix(said, "[below](#"):
		if v.Kind() != reflect.Struct {
			return "has no table of its own"
		}
	case said == "inherited":
		if !v.IsZero() || !strings.HasPrefix(r.where, "consumer.Topic.") {
			return "is said to be inherited"
		}
	case strings.HasPrefix(r.where, "consumer.Topic."):
		return "is not said to be inherited"
	case said == "none" || said == "off":
		if !v.IsZero() {
			return fmt.Sprintf("has a default: %s", shown(v))
		}
	case said != shown(v):
		return fmt.Sprintf("%q is said to be the default, it is %s", said, shown(v))
	}
	return ""
}

func TestDocsConfiguration(t *testing.T) {
	text, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	said, there := tables(string(text)), structs()
	for name := range said {
		if _, ok := there[name]; !ok {
			t.Errorf("%s is documented, and does not exist", name)
		}
	}
	checked := 0
	for name, v := range there {
		rows, ok := said[name]
		if !ok {
			t.Errorf("%s is not documented", name)
			continue
		}
		rows = maps.Clone(rows)
		for _, f := range exported(v.Type()) {
			r, ok := rows[f]
			if !ok {
				t.Errorf("%s.%s is not documented", name, f)
				continue
			}
			delete(rows, f)
			if fault := r.faults(v.FieldByName(f)); fault != "" {
				t.Errorf("%s: %s", r.where, fault)
			}
			checked++
		}
		for f := range rows {
			t.Errorf("%s.%s is documented, and does not exist", name, f)
		}
	}
	if checked < 45 {
		t.Errorf("only %d fields were compared: the tables are not read as they should be", checked)
	}
	t.Logf("%d fields of %d structs compared", checked, len(there))
}
