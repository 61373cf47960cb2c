package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

func main() {
	if isBroker() {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			fail(err)
		}
		return
	}
	name, args := "throughput", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	switch name {
	case "throughput":
		if err := throughput(context.Background(), args); err != nil {
			fail(err)
		}
	default:
		fail(fmt.Errorf("there is no benchmark %q; there is: throughput", name))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
