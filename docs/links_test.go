package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	blocks  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)\n```$")
	unnamed = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // what a heading's anchor leaves out
)

// anchors are the headings of a file, as a link names them.
func anchors(text string) (names []string) {
	for _, m := range title.FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// texts are the guides and what stands at the root, by file.
func texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "../*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Clean(file)] = string(text)
		}
	}
	return found
}

// broken are the links of a file that lead nowhere.
func broken(file string, all map[string]string) (bad []string) {
	for _, m := range link.FindAllStringSubmatch(blocks.ReplaceAllString(all[file], ""), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		path, anchor, _ := strings.Cut(m[1], "#")
		to, there := file, true
		if path != "" {
			to = filepath.Join(filepath.Dir(file), path)
			_, err := os.Stat(to)
			there = err == nil
		}
		if !there || anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
			bad = append(bad, m[1])
		}
	}
	return bad
}

// TestDocsLinks: each link within the repository leads to a file, and to a heading in it; each guide is linked from the README.
func TestDocsLinks(t *testing.T) {
	all := texts(t)
	if len(all) < 10 {
		t.Fatalf("only %d files were found", len(all))
	}
	for file := range all {
		for _, to := range broken(file, all) {
			t.Errorf("%s: a link leads nowhere: %s", file, to)
		}
		if filepath.Dir(file) == "." && !strings.Contains(all["../README.md"], "](docs/"+file+")") {
			t.Errorf("%s is not linked from the README", file)
		}
	}
	all["here.md"] = "# A `b.C`, d\n[a](#a-bc-d) [b](#a-bc) [c](nowhere.md) [d](../README.md#no-such-heading)\n"
	if bad := broken("here.md", all); !slices.Equal(bad, []string{"#a-bc", "nowhere.md", "../README.md#no-such-heading"}) {
		t.Errorf("found %v", bad)
	}
}

// TestDocsCommands: what a shell block names of this repository is there.
func TestDocsCommands(t *testing.T) {
	named := 0
	for file, text := range texts(t) {
		for _, b := range blocks.FindAllStringSubmatch(text, -1) {
			if b[1] != "sh" {
				continue
			}
			for word := range strings.FieldsSeq(b[2]) {
				path := strings.TrimSuffix(strings.TrimPrefix(word, "./"), "...")
				if !strings.HasPrefix(word, "./") && !strings.HasSuffix(word, ".sh") || strings.HasPrefix(word, "kafka-") {
					continue
				}
				named++
				if _, err := os.Stat(filepath.Join("..", path)); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
	if named < 4 {
		t.Errorf("only %d paths were found", named)
	}
}
