// Expect checks a program's output: each line of the file of expectations is a regular expression, and each must
// match a line of the output, in this order. Other lines may stand between them.
//
//	go run ./test/expect examples/02-embed/expect.txt output.txt
//
// Empty lines of the file and those that begin with # are left out.
package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: expect EXPECTATIONS OUTPUT")
		os.Exit(2)
	}
	expectations, err := os.ReadFile(os.Args[1])
	if err == nil {
		var output []byte
		if output, err = os.ReadFile(os.Args[2]); err == nil {
			err = check(string(expectations), string(output))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// check names the first expectation that nothing in the rest of the output matches, and where that rest begins.
func check(expectations, output string) error {
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	checked, from := 0, 0
	for i, line := range strings.Split(expectations, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		re, err := regexp.Compile(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		at := from
		for at < len(lines) && !re.MatchString(lines[at]) {
			at++
		}
		if at == len(lines) {
			return fmt.Errorf("line %d: nothing from line %d of the output's %d on matches %q", i+1, from+1, len(lines), line)
		}
		checked, from = checked+1, at+1
	}
	if checked == 0 {
		return errors.New("expects nothing")
	}
	return nil
}
