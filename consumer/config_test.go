package consumer

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/supervisor"
)

// comments gives the doc comment of every field of a package-level struct, as "Type.Field".
func comments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if body, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range body.Fields.List {
					for _, name := range field.Names {
						docs[spec.Name.Name+"."+name.Name] = strings.ReplaceAll(field.Doc.Text(), "\n", " ")
					}
				}
			}
			return false
		})
	}
	return docs
}

// shown writes a default as its comment does.
func shown(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		text := value.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		return text
	case int:
		if value > 0 && value%(1<<20) == 0 {
			return fmt.Sprintf("%d MiB", value>>20)
		}
		return fmt.Sprint(value)
	default:
		return fmt.Sprint(value)
	}
}

// What a comment promises as the default must be what an empty configuration comes to.
func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	docs := comments(t, "config.go", "limit.go", "offsets.go")
	promise := regexp.MustCompile(`Default: (.+?)\.( |$)`)
	var checked int
	var check func(typeName string, v reflect.Value)
	check = func(typeName string, v reflect.Value) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := typeName + "." + field.Name
			if !field.IsExported() {
				continue
			}
			doc, ok := docs[name]
			if !ok || doc == "" {
				t.Errorf("%s has no comment", name)
				continue
			}
			found := promise.FindAllStringSubmatch(doc, -1)
			value := v.Field(i)
			if value.Kind() == reflect.Struct && len(found) == 0 {
				check(field.Type.Name(), value)
				continue
			}
			switch name {
			case "Config.Brokers", "Config.Group", "Config.Topics", "Config.Handler", "Config.Actor": // required
				if len(found) != 0 {
					t.Errorf("%s is required and has a default", name)
				}
				continue
			}
			if len(found) != 1 {
				t.Errorf("%s names %d defaults, want 1: %q", name, len(found), doc)
				continue
			}
			checked++
			want := found[0][1]
			switch {
			case want == "none" || want == "off" || strings.HasPrefix(want, "none, "):
				if !value.IsZero() {
					t.Errorf("%s is %v by default, documented as %s", name, value, want)
				}
			case want == "slog.Default()":
				if value.Interface() != slog.Default() {
					t.Errorf("%s is %v by default, documented as %s", name, value, want)
				}
			case strings.HasPrefix(want, "supervisor.DefaultPolicy()"):
				if got := value.Interface().(supervisor.Policy).Explain(); got != supervisor.DefaultPolicy().Explain() {
					t.Errorf("%s is by default %s", name, got)
				}
			default:
				if got := shown(value); got != want {
					t.Errorf("%s is %s by default, documented as %s", name, got, want)
				}
			}
		}
	}
	check("Config", reflect.ValueOf(Config{}.WithDefaults()))
	if checked < 25 {
		t.Errorf("only %d defaults were found: the comments are not read as they should be", checked)
	}
}

func TestDefaultsKeepWhatIsSet(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	set := Config{
		Backlog: Backlog{1, 2, 3, 13}, Fetch: Fetch{4, 5, 6, 7}, Commit: Commit{CommitEach, 8},
		Offsets: Offsets{Start: Latest, OutOfRange: Earliest}, Balance: []Balance{Range},
		StuckAfter: 14, DrainTimeout: 9, SessionTimeout: 10, RebalanceTimeout: 11, HeartbeatInterval: 12,
		Strategy: actor.DefaultSupervisorStrategy(), Logger: logger,
	}
	got, want := reflect.ValueOf(set.WithDefaults()), reflect.ValueOf(set)
	for i := range want.NumField() {
		field := want.Type().Field(i)
		if field.IsExported() && !reflect.DeepEqual(got.Field(i).Interface(), want.Field(i).Interface()) {
			t.Errorf("%s is %v, want %v", field.Name, got.Field(i), want.Field(i))
		}
	}
}
