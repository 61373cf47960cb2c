package source

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

const brokerVariable = "OTTLA_SOURCE_TEST_BROKER"

// TestMain: with the variable set, this program is a broker in a process of its own, until its standard input ends.
// So the figures of the benchmark are the client's alone.
func TestMain(m *testing.M) {
	if os.Getenv(brokerVariable) == "" {
		os.Exit(m.Run())
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(8, "t"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(c.ListenAddrs(), ","))
	_, _ = io.Copy(io.Discard, os.Stdin)
	c.Close()
	os.Exit(0)
}

func childBroker(b *testing.B) []string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), brokerVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(line), ",")
}

// reader reads every record where it is delivered: what a handler that does nothing costs beyond it is not ours.
type reader struct {
	record messages.Record
	bytes  int
	left   *atomic.Int64
	done   chan struct{}
}

func (*reader) Room() int            { return 8 << 20 }
func (*reader) Failed(uint64, error) {}

func (r *reader) Deliver(_ uint64, b actors.Batch, _ actors.Extent) {
	for i := range b.Len() {
		r.bytes += b.Size(i)
		b.Read(i, &r.record)
	}
	if r.left.Add(-int64(b.Len())) == 0 {
		close(r.done)
	}
}

// BenchmarkFetch reads a million records of 100 bytes from 8 partitions of a broker in another process.
func BenchmarkFetch(b *testing.B) {
	const records, parts = 1_000_000, 8
	addrs := childBroker(b)
	fill(b, addrs, records, parts, 100, kgo.ProducerBatchMaxBytes(1_000_000))
	for _, connections := range []int{1, 2} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var took time.Duration
			for b.Loop() {
				s := newSource(b, addrs, Options{Connections: connections})
				var left atomic.Int64
				left.Store(records)
				done := make(chan struct{})
				begun := time.Now()
				for p := range int32(parts) {
					s.Open(newClaim(p), 0, 1, &reader{left: &left, done: done})
				}
				<-done
				took += time.Since(begun)
				s.Stop()
			}
			runtime.ReadMemStats(&after)
			n := float64(records * b.N)
			b.ReportMetric(n/took.Seconds(), "records/s")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/record")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/record")
			b.ReportMetric(0, "ns/op")
		})
	}
}
