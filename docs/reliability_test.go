package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named is a test as reliability.md names it: `package.TestName`.
var named = regexp.MustCompile("`([a-z0-9/_-]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// promise is one row of the table of promises: its first cell is the promise, its second one the tests.
var promise = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]*) \|$`)

// declared are the tests and fuzz targets of a package, from the repository's root, which is ottla itself.
func declared(pkg string) (map[string]bool, error) {
	if pkg == "ottla" {
		pkg = "."
	}
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s has no tests: %w", pkg, err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
	}
	return found, nil
}

// unkept says what is wrong with the table of promises in a text: tests that there are not, and promises without one.
func unkept(text string) (faults []string, promises int) {
	known := map[string]map[string]bool{}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		pkg, test := m[1], m[2]
		if known[pkg] == nil {
			var err error
			if known[pkg], err = declared(pkg); err != nil {
				faults = append(faults, err.Error())
				known[pkg] = map[string]bool{}
				continue
			}
		}
		if !known[pkg][test] {
			faults = append(faults, fmt.Sprintf("%s has no %s", pkg, test))
		}
	}
	_, table, _ := strings.Cut(text, "\n## The promises\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, row := range promise.FindAllStringSubmatch(table, -1) {
		if row[1] == "promise" || strings.HasPrefix(row[1], "---") {
			continue
		}
		promises++
		if !named.MatchString(row[2]) {
			faults = append(faults, "no test of: "+row[1])
		}
	}
	return faults, promises
}

// Every promise has a test, and every test that is named is there: one that is renamed is missed.
func TestDocsNameTestsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	faults, promises := unkept(string(text))
	for _, f := range faults {
		t.Error(f)
	}
	if promises < 30 {
		t.Errorf("found only %d promises: does the test still see them?", promises)
	}
	t.Logf("%d promises, %d tests named", promises, len(named.FindAllString(string(text), -1)))
}

func TestDocsMissATestThatThereIsNot(t *testing.T) {
	const head = "\n## The promises\n\n| promise | tests |\n|---|---|\n"
	for row, want := range map[string]string{
		"| kept | `docs.TestDocsCompile` |":                             "",
		"| kept | `docs.TestDocsCompile`, `docs.TestDocsNoSuchThing` |": "docs has no TestDocsNoSuchThing",
		"| kept | `no/such/package.TestDocsCompile` |":                  "no/such/package has no tests",
		"| not kept | some |":                                           "no test of: not kept",
	} {
		faults, promises := unkept(head + row + "\n")
		got := strings.Join(faults, "; ")
		if promises != 1 || want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %d promises, %q, want %q", row, promises, got, want)
		}
	}
}
