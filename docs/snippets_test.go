package docs

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// imports are what a snippet without a package clause may use without saying so.
var imports = map[string]string{
	"consumer": "github.com/ottla-go/ottla/consumer", "messages": "github.com/ottla-go/ottla/messages",
	"supervisor": "github.com/ottla-go/ottla/supervisor", "actor": "github.com/asynkron/protoactor-go/actor",
	"actors":       "github.com/ottla-go/ottla/actors",
	"deadletters":  "github.com/ottla-go/ottla/consumer/deadletters",
	"middleware":   "github.com/ottla-go/ottla/consumer/middleware",
	"consumertest": "github.com/ottla-go/ottla/consumer/consumertest", "sarama": "github.com/IBM/sarama",
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "net": "net", "log": "log", "os": "os",
	"slog": "log/slog", "subtle": "crypto/subtle", "sql": "database/sql", "testing": "testing", "time": "time",
}

var fence = regexp.MustCompile("(?ms)^```go\n(.*?)\n```$")

type snippet struct {
	where string // file:line
	code  string
}

// snippets finds every Go block of a Markdown file.
func snippets(file, text string) []snippet {
	var found []snippet
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		line := 1 + strings.Count(text[:at[2]], "\n")
		found = append(found, snippet{fmt.Sprintf("%s:%d", file, line), text[at[2]:at[3]]})
	}
	return found
}

// source makes a compilable file of a snippet: a whole file as it is, declarations with the imports they need,
// statements inside a function.
func source(s snippet) (string, error) {
	parses := func(code string) error {
		_, err := parser.ParseFile(token.NewFileSet(), "x.go", code, 0)
		return err
	}
	if parses(s.code) == nil {
		return s.code, nil
	}
	var head strings.Builder
	head.WriteString("package snippet\n")
	for name, path := range imports {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(s.code) {
			fmt.Fprintf(&head, "import %q\n", path)
		}
	}
	here := fmt.Sprintf("//line %s\n", s.where)
	declarations := head.String() + here + s.code
	if parses(declarations) == nil {
		return declarations, nil
	}
	statements := head.String() + "func _() {\n" + here + s.code + "\n}\n"
	return statements, parses(statements)
}

func TestDocsCompile(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	for _, file := range append(guides, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(root, file)
		found := snippets(name, string(text))
		if fences := strings.Count(string(text), "```go"); len(found) != fences || name == "README.md" && fences == 0 {
			t.Errorf("%s: %d snippets of %d were found", name, len(found), fences)
		}
		all = append(all, found...)
	}
	if len(all) < 5 {
		t.Fatalf("found only %d snippets: does the test still see them?", len(all))
	}
	if out, err := compile(t, root, all); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d snippets compiled", len(all))
}

// A snippet that does not compile must be found.
func TestABrokenSnippetIsFound(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"consumer.NoSuchName()\n", "var c consumer.Config = 1\n", "}\n"} {
		if _, err := compile(t, root, []snippet{{"here.md:1", code}}); err == nil {
			t.Errorf("compiled: %q", code)
		}
	}
}

// compile builds snippets, each as a package of its own, in an overlay: nothing is written into the tree.
func compile(t *testing.T, root string, all []snippet) (string, error) {
	t.Helper()
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	args := []string{"build", "-overlay", filepath.Join(dir, "overlay.json")}
	for i, s := range all {
		code, err := source(s)
		if err != nil {
			return s.where, err
		}
		file := filepath.Join(dir, fmt.Sprintf("s%d.go", i))
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(root, "docs", "snippets", fmt.Sprint(i), "snippet.go")] = file
		args = append(args, fmt.Sprintf("./docs/snippets/%d", i))
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}
