package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sources parses the code of a package, tests aside.
func sources(t *testing.T, pkg string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// makers are the exported functions and methods that make one of these types and nothing else: what a policy is written
// with.
func makers(t *testing.T, types ...string) (names []string) {
	t.Helper()
	for _, file := range sources(t, "supervisor") {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if id, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && slices.Contains(types, id.Name) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// classes are the constants of messages.Class.
func classes(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range sources(t, "messages") {
		for name, o := range file.Scope.Objects {
			if o.Kind == ast.Con && strings.HasPrefix(name, "Class") {
				names = append(names, name)
			}
		}
	}
	return names
}

// variables are the names of environment variables that stand in the code which reads them.
func variables(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range sources(t, "consumer") {
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && regexp.MustCompile(`^"KAFKA_[A-Z_]+"$`).MatchString(lit.Value) {
				names = append(names, strings.Trim(lit.Value, `"`))
			}
			return true
		})
	}
	return names
}

// TestDocsVocabulary: what policies are written with, the classes, and the environment variables are those of the code,
// all of them and no others.
func TestDocsVocabulary(t *testing.T) {
	text, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, policy, _ := strings.Cut(string(text), "\n## A policy\n")
	policy, environment, ok := strings.Cut(policy, "\n## From the environment\n")
	if !ok {
		t.Fatal("the sections are not found")
	}
	for _, c := range []struct {
		what, text, form string
		real             []string
	}{
		{"matchers, steps and backoffs", policy, "`(?:step\\.|a\\.)?([A-Z]\\w+)(?:\\[E\\])?\\([a-z, .]*\\)`", makers(t, "Matcher", "Directive", "Backoff")},
		{"classes", policy, "(?m)^\\| `(Class\\w+)` \\|", classes(t)},
		{"variables", environment, "`(KAFKA_\\w+)`", variables(t)},
	} {
		var said []string
		for _, m := range regexp.MustCompile(c.form).FindAllStringSubmatch(c.text, -1) {
			said = append(said, m[1])
		}
		for _, name := range c.real {
			if !slices.Contains(said, name) {
				t.Errorf("%s: %s is not documented", c.what, name)
			}
		}
		for _, name := range said {
			if !slices.Contains(c.real, name) {
				t.Errorf("%s: %s is documented, and does not exist", c.what, name)
			}
		}
		if len(c.real) < 7 {
			t.Errorf("%s: only %d were found in the code: %v", c.what, len(c.real), c.real)
		}
	}
}
