package ottla_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ottla-go/ottla"

const (
	sarama     = "github.com/IBM/sarama"
	kfake      = "github.com/twmb/franz-go/pkg/kfake"
	protoactor = "github.com/asynkron/protoactor-go"
	uuid       = "github.com/google/uuid"
	testKit    = module + "/consumer/consumertest"
)

// A layer is one package of the library, or a tree of them, and everything that it may import besides the
// standard library and itself. An import path stands for all below it, too.
type layer struct {
	tree string
	may  []string
}

// layers, from the bottom up; the first whose tree holds a package counts.
var layers = []layer{
	{"messages", []string{uuid}},
	{"actors", []string{uuid, protoactor, module + "/messages"}},
	{"supervisor", []string{uuid, protoactor, module + "/messages", module + "/actors"}},
	{"consumer/consumertest", slices.Concat(core, []string{kfake, "github.com/twmb/franz-go/pkg/kmsg", "github.com/twmb/franz-go/pkg/kerr"})},
	{"consumer", core},
}

var core = []string{
	module + "/messages", module + "/actors", module + "/supervisor", module + "/consumer",
	uuid, protoactor, sarama, "github.com/xdg-go/scram", "golang.org/x/net/proxy", "golang.org/x/net/http/httpguts",
	"go.opentelemetry.io/otel",
}

// saramaTrees may import sarama in their code and in their tests.
var saramaTrees = []string{"consumer", "test", "bench"}

// light packages must not come by sarama through others either.
var light = []string{"messages", "actors", "supervisor"}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath   string
	Imports      []string // of its code
	Deps         []string // of its code, with what these import in turn
	TestImports  []string // of the tests inside the package
	XTestImports []string // of the tests beside it
}

// violations says what p imports against the rule: downwards only, and sarama below consumer, test and bench only.
// Tests may import anything of other people's but sarama; of ours, what the code may, and the test kit with the Config
// that it runs.
func violations(p goPackage) []string {
	var out []string
	say := func(format string, args ...any) {
		out = append(out, p.ImportPath+fmt.Sprintf(format, args...))
	}
	rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
	tests := slices.Concat(p.TestImports, p.XTestImports)

	if !slices.ContainsFunc(saramaTrees, func(tree string) bool { return within(rel, tree) }) {
		for _, i := range slices.Concat(p.Imports, tests) {
			if within(i, sarama) {
				say(" imports %s: only what lies below consumer, test and bench may", i)
			}
		}
	}
	if slices.Contains(light, rel) && slices.Contains(p.Deps, sarama) {
		say(" comes by sarama through another package")
	}

	at := slices.IndexFunc(layers, func(l layer) bool { return within(rel, l.tree) })
	if at < 0 {
		return out
	}
	allowed := func(i string) bool {
		return standard(i) || within(i, module+"/"+layers[at].tree) ||
			slices.ContainsFunc(layers[at].may, func(m string) bool { return within(i, m) })
	}
	kit := within(rel, "consumer/consumertest")
	if !kit && slices.Contains(p.Deps, kfake) {
		say(" comes by the broker for tests through another package")
	}
	for _, i := range p.Imports {
		switch {
		case within(i, sarama) && !allowed(i): // said above
		case !allowed(i):
			say(" imports %s", i)
		case within(i, testKit) && !kit:
			say(" imports the test kit in code that is not a test")
		}
	}
	for _, i := range tests {
		if within(i, module) && i != testKit && i != module+"/consumer" && !allowed(i) {
			say("'s tests import %s", i)
		}
	}
	return out
}

// within reports whether the path is the tree's root or below it.
func within(path, tree string) bool {
	return path == tree || strings.HasPrefix(path, tree+"/")
}

// standard reports whether the path is the standard library's: its first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestImportsOfEveryPackage(t *testing.T) {
	packages := listPackages(t)
	if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == module+"/messages" }) {
		t.Fatalf("go list did not find %s/messages among %d packages", module, len(packages))
	}
	for _, p := range packages {
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(stdout)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportsRule(t *testing.T) {
	const m = module
	for _, tt := range []struct {
		name string
		p    goPackage
		want string // "": no violation
	}{
		{"messages may use uuid", goPackage{ImportPath: m + "/messages", Imports: []string{"encoding/json", uuid}}, ""},
		{"messages stays without actors", goPackage{ImportPath: m + "/messages", Imports: []string{protoactor + "/actor"}}, "imports " + protoactor},
		{"messages upwards", goPackage{ImportPath: m + "/messages", Imports: []string{m + "/actors"}}, "imports " + m + "/actors"},
		{"messages' tests upwards", goPackage{ImportPath: m + "/messages", XTestImports: []string{m + "/supervisor"}}, "tests import " + m + "/supervisor"},
		{"messages' tests with other people's help", goPackage{ImportPath: m + "/messages", XTestImports: []string{"github.com/a/b"}}, ""},
		{"actors downwards", goPackage{ImportPath: m + "/actors", Imports: []string{m + "/messages", protoactor + "/actor"}}, ""},
		{"actors upwards", goPackage{ImportPath: m + "/actors", Imports: []string{m + "/supervisor"}}, "imports " + m + "/supervisor"},
		{"actors with sarama", goPackage{ImportPath: m + "/actors", Imports: []string{sarama}}, "imports " + sarama},
		{"actors with sarama through another", goPackage{ImportPath: m + "/actors", Deps: []string{sarama}}, "comes by sarama"},
		{"below actors, upwards", goPackage{ImportPath: m + "/actors/internal/x", Imports: []string{m + "/consumer"}}, "imports " + m + "/consumer"},
		{"a name that only begins alike", goPackage{ImportPath: m + "/actors", Imports: []string{m + "/messagesx"}}, "imports " + m + "/messagesx"},
		{"supervisor upwards", goPackage{ImportPath: m + "/supervisor", Imports: []string{m + "/consumer"}}, "imports " + m + "/consumer"},
		{"supervisor's tests with the kit", goPackage{ImportPath: m + "/supervisor", XTestImports: []string{testKit}}, ""},
		{"supervisor's tests with the kit's Config", goPackage{ImportPath: m + "/supervisor", XTestImports: []string{m + "/consumer"}}, ""},
		{"supervisor's tests with Kafka", goPackage{ImportPath: m + "/supervisor", XTestImports: []string{m + "/consumer/internal/conn"}}, "tests import " + m + "/consumer/internal/conn"},
		{"supervisor's tests with sarama", goPackage{ImportPath: m + "/supervisor", TestImports: []string{sarama}}, "imports " + sarama},
		{"consumer with sarama", goPackage{ImportPath: m + "/consumer/internal/source", Imports: []string{sarama, m + "/supervisor"}}, ""},
		{"consumer with a new dependency", goPackage{ImportPath: m + "/consumer", Imports: []string{"github.com/a/b"}}, "imports github.com/a/b"},
		{"consumer with a broker for tests", goPackage{ImportPath: m + "/consumer", Imports: []string{kfake}}, "imports " + kfake},
		{"consumer with a broker for tests through another", goPackage{ImportPath: m + "/consumer", Deps: []string{kfake}}, "comes by the broker for tests"},
		{"the kit comes by a broker", goPackage{ImportPath: testKit, Deps: []string{kfake}}, ""},
		{"consumer's tests with a broker", goPackage{ImportPath: m + "/consumer", XTestImports: []string{kfake}}, ""},
		{"consumer with the kit", goPackage{ImportPath: m + "/consumer", Imports: []string{testKit}}, "imports the test kit"},
		{"the kit with a broker", goPackage{ImportPath: testKit, Imports: []string{kfake, m + "/consumer/internal/wire"}}, ""},
		{"the library with an example", goPackage{ImportPath: m + "/consumer", Imports: []string{m + "/examples/x"}}, "imports " + m + "/examples/x"},
		{"an example with sarama", goPackage{ImportPath: m + "/examples/01-quickstart", Imports: []string{sarama}}, "imports " + sarama},
		{"an example with a broker", goPackage{ImportPath: m + "/examples/01-quickstart", Imports: []string{kfake, m + "/consumer"}}, ""},
		{"a test program with sarama", goPackage{ImportPath: m + "/test/conformance", XTestImports: []string{sarama}}, ""},
		{"the root's tests with sarama", goPackage{ImportPath: m, XTestImports: []string{sarama}}, "imports " + sarama},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(tt.p)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("refused: %q", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one violation with %q", got, tt.want)
			}
		})
	}
}
