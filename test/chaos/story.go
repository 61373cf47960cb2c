package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	around     = 4 * time.Second // of the log, before and after a breach
	toldAtMost = 6               // breaches are told at length
	linesEach  = 120             // of the log, for each of them
)

// tell prints what was breached, and for the first ones the faults near them and what the workers wrote around that time.
func tell(v *verdict, h *history, log string) {
	for i, b := range v.breaches {
		if i >= 100 {
			fmt.Printf("chaos: and %d more\n", len(v.breaches)-i)
			break
		}
		where := ""
		if b.partition >= 0 {
			where = fmt.Sprintf(" partition %d", b.partition)
		}
		fmt.Printf("chaos: BREACH %s%s at %s: %s\n", b.kind, where, clock(b.at), b.text)
	}
	told := map[string]int{}
	for _, b := range v.breaches {
		if b.at.IsZero() || told[b.kind] >= 2 || len(told) > toldAtMost {
			continue
		}
		told[b.kind]++
		fmt.Printf("\nchaos: the story of: %s, partition %d, %s\n", b.kind, b.partition, b.text)
		for _, f := range h.faults {
			if !f.begin.After(b.at.Add(around)) && !f.end.Before(b.at.Add(-30*time.Second)) {
				fmt.Printf("  %s – %s %v\n", clock(f.begin), clock(f.end), f)
			}
		}
		excerpt(log, b)
	}
}

// excerpt prints the lines of the story around a breach that concern its workers and its partition.
func excerpt(name string, b breach) {
	file, err := os.Open(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = file.Close() }()
	from, to := clock(b.at.Add(-around)), clock(b.at.Add(around))
	partition := fmt.Sprintf("partition=%d ", b.partition)
	var shown []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at, rest, _ := strings.Cut(lines.Text(), " ")
		who, what, _ := strings.Cut(rest, " ")
		if at < from || at > to {
			continue
		}
		ofWorker := slices.ContainsFunc(b.workers, func(id int) bool { return who == fmt.Sprintf("w%d", id) })
		ofPartition := b.partition < 0 || strings.Contains(what+" ", partition)
		if who == "w0" || ofPartition && (ofWorker || !strings.HasPrefix(what, "done")) || ofWorker && !strings.Contains(what, "partition=") {
			shown = append(shown, lines.Text()[:min(len(lines.Text()), 400)])
		}
	}
	if n := len(shown); n > linesEach {
		shown = slices.Concat(shown[:linesEach/2], []string{fmt.Sprintf("… %d lines …", n-linesEach)}, shown[n-linesEach/2:])
	}
	for _, text := range shown {
		fmt.Println("  " + text)
	}
}

// summary is the last line of a run.
func summary(v *verdict, h *history, seed uint64, took time.Duration) string {
	var s strings.Builder
	fmt.Fprintf(&s, "chaos: seed=%d for=%v faults=%d produced=%d done=%d lost=%d out_of_order=%d duplicates=%d unexplained=%d",
		seed, took.Round(time.Second), len(h.faults), v.produced, v.done, v.count(isLost), v.count(isDisordered), v.duplicates, v.count(isUnexplaind))
	for _, kind := range []string{isShared, isAhead, isBack, isRepeated, isOpen, isOdd} {
		fmt.Fprintf(&s, " %s=%d", kind, v.count(kind))
	}
	return s.String()
}

// figures are what else a reader of a report wants to know.
func figures(v *verdict, h *history) []string {
	kinds := map[string]int{}
	for _, f := range h.faults {
		kinds[f.kind]++
	}
	return []string{
		fmt.Sprintf("faults: %s", tally(kinds)),
		fmt.Sprintf("workers %d, claims %d, of which lost %d; committed offsets seen %d", len(h.workers), v.claims, v.losses, len(h.sights)),
		fmt.Sprintf("duplicates, by what explains them: %s; after a kill -9 the oldest was done %v before it", tally(v.causes), v.longest.Round(time.Millisecond)),
		fmt.Sprintf("the longest time in which nothing was done on a partition: %v", v.still.Round(time.Millisecond)),
		fmt.Sprintf("an old owner's last record beside a new owner: %v after its SIGCONT", v.late.Round(time.Millisecond)),
	}
}

func tally(counts map[string]int) string {
	var parts []string
	for name, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
