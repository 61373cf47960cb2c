package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// marks are the calls that say where a scenario cannot run, and what the package's comment says then.
var marks = map[string]string{"realOnly": "real", "fakeOnly": "kfake", "threeNodes": "3 nodes"}

// TestListOfScenarios: the table in the package's comment names every test, once, with the place where its mark lets it
// run.
func TestListOfScenarios(t *testing.T) {
	want := scenarios(t)
	delete(want, t.Name())
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(file.Doc.Text()) {
		columns := strings.SplitN(strings.TrimSpace(line), "  ", 2)
		if len(columns) < 2 || !strings.HasPrefix(strings.TrimSpace(columns[1]), "Test") {
			continue
		}
		test, where, _ := strings.Cut(strings.TrimSpace(columns[1]), " ")
		where, _, _ = strings.Cut(strings.TrimSpace(where), ",")
		if listed[test] {
			t.Errorf("doc.go lists %s twice", test)
		}
		listed[test] = true
		switch place, ok := want[test]; {
		case !ok:
			t.Errorf("doc.go lists %s, which is not there", test)
		case where != place:
			t.Errorf("doc.go says that %s runs on %q, its mark says %q", test, where, place)
		}
	}
	for test := range want {
		if !listed[test] {
			t.Errorf("doc.go does not list %s", test)
		}
	}
}

// scenarios are the package's tests, each with the place where it runs.
func scenarios(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				out[f.Name.Name] = place(f)
			}
		}
	}
	return out
}

// place is where a test runs, as it is marked.
func place(f *ast.FuncDecl) string {
	where := "both"
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && marks[id.Name] != "" {
				where = marks[id.Name]
			}
		}
		return true
	})
	return where
}
