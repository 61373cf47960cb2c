package actors

import (
	"bytes"
	"context"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// The labels of a goroutine that runs a mailbox, as profiles show them. The partition is for people; mailboxes are told
// apart by number, since two consumers of a process may own the same partition.
const (
	partitionLabel = "ottla-partition"
	mailboxLabel   = "ottla-mailbox"
)

var mailboxes atomic.Uint64

// labelled is the root of the attempts' contexts with the labels in it, so that a handler that sets labels of its own, with
// pprof.Do and its context, keeps them.
func (m *Mailbox) labelled(ctx context.Context) context.Context {
	m.number = mailboxes.Add(1)
	return pprof.WithLabels(ctx, pprof.Labels(
		partitionLabel, m.set.Claim.Topic+"/"+strconv.Itoa(int(m.set.Claim.Partition)), mailboxLabel, strconv.FormatUint(m.number, 10)))
}

// Stacks is what the goroutines that run these mailboxes are at, innermost call first. One that none runs, or that is at none
// of the user's code any more, is missing.
//
// They are found in a profile of the goroutines, which stops the program for a moment only, where a dump of their stacks
// would stop it until the last one is written. Of the goroutines with a mailbox's labels, which whatever a handler starts
// has inherited, the one counts that is in turn.
func Stacks(of ...*Mailbox) map[*Mailbox]string {
	if len(of) == 0 { // each profile stops the program for a moment
		return nil
	}
	f := &stackFinder{wanted: map[string]*Mailbox{}, found: map[*Mailbox]string{}}
	for _, m := range of {
		f.wanted[strconv.FormatUint(m.number, 10)] = m
	}
	_ = pprof.Lookup("goroutine").WriteTo(f, 1) // f takes everything
	f.paragraph()
	return f.found
}

const (
	stackMax     = 8 << 10  // of one that is found
	paragraphMax = 64 << 10 // of what is looked through at once: 128 calls, with long paths
	turnFrame    = "/actors.(*Mailbox).turn"
)

// stackFinder reads the profile as it is written: it holds one stack of it, whatever the number of goroutines, and those
// that were found.
type stackFinder struct {
	wanted map[string]*Mailbox
	line   []byte // that has not ended
	text   []byte // of the stack that is being read
	found  map[*Mailbox]string
}

// Write implements io.Writer.
func (f *stackFinder) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			f.line = append(f.line, p...)
			return n, nil
		}
		line := slices.Concat(f.line, p[:i+1])
		p, f.line = p[i+1:], nil
		if len(line) == 1 {
			f.paragraph()
		} else if len(f.text)+len(line) <= paragraphMax {
			f.text = append(f.text, line...)
		}
	}
}

var (
	// number is the mailbox's, among the labels.
	number = regexp.MustCompile(`(?m)^# labels: .*"` + mailboxLabel + `":"([0-9]+)"`)
	// call is one line of a profile's stack: address, function and offset, place.
	call = regexp.MustCompile(`^#\s+0x[0-9a-f]+\s+(.+)\+0x[0-9a-f]+\s+(.+)$`)
)

// paragraph looks at a stack that has been read.
func (f *stackFinder) paragraph() {
	text := string(f.text)
	f.text = f.text[:0]
	label := number.FindStringSubmatch(text)
	if len(label) < 2 || f.wanted[label[1]] == nil || !strings.Contains(text, turnFrame) {
		return
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		parts := call.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if parts == nil {
			continue
		}
		function := strings.TrimRight(parts[1], " ")
		if strings.Contains(function, "/protoactor-go/actor.") || strings.HasSuffix(function, ").Receive") && strings.Contains(function, "/ottla/actors.(*") {
			break // what is below is the same for all
		}
		entry := function + "\n\t" + parts[2] + "\n"
		if b.Len()+len(entry) > stackMax {
			b.WriteString("…\n")
			break
		}
		b.WriteString(entry)
	}
	if b.Len() > 0 {
		f.found[f.wanted[label[1]]] = b.String()
	}
}
