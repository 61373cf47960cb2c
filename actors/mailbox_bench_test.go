package actors

import (
	"context"
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// fetch is what one fetch brings: records of 100 bytes that alias one buffer.
type fetch struct {
	first int64
	n     int
}

const fetchLen = 1000

var fetchBuffer [100]byte

func (f *fetch) Len() int           { return f.n }
func (f *fetch) Offset(i int) int64 { return f.first + int64(i) }
func (f *fetch) Size(int) int       { return len(fetchBuffer) + messages.RecordOverhead }
func (f *fetch) Read(i int, r *messages.Record) {
	r.Topic, r.Partition, r.Offset, r.Value = "orders", 3, f.first+int64(i), fetchBuffer[:]
}

func benchSystem() *actor.ActorSystem {
	quiet := slog.New(slog.DiscardHandler)
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
}

// finish tells the benchmark that its last record has been handled.
type finish struct {
	last int64
	done chan struct{}
}

func (f *finish) saw(offset int64) {
	if offset == f.last {
		close(f.done)
	}
}

func (f *finish) handle(_ context.Context, r *messages.Record) error {
	f.saw(r.Offset)
	return nil
}

// completing is the smallest actor of a user's.
type completing struct{ *finish }

func (a completing) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok {
		r.Complete(nil)
		a.saw(r.Offset)
	}
}

// ignoring is an actor on protoactor's own mailbox.
type ignoring struct{ *finish }

func (a ignoring) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok {
		a.saw(r.Offset)
	}
}

// BenchmarkMailbox is one record on its way from a fetch through the backlog and protoactor to a handler that does
// nothing, and to its commit. The fetch and the commit themselves cost nothing here; one goroutine delivers.
func BenchmarkMailbox(b *testing.B) {
	for name, set := range map[string]func(*Settings, *finish){
		"handler":       func(s *Settings, f *finish) { s.Handler = f.handle },
		"handler, each": func(s *Settings, f *finish) { s.Handler, s.Each = f.handle, true },
		"actor":         func(s *Settings, f *finish) { s.Producer = func() actor.Actor { return completing{f} } },
	} {
		b.Run(name, func(b *testing.B) {
			f := &finish{int64(b.N) - 1, make(chan struct{})}
			s := Settings{Context: context.Background(), Records: 20_000, Bytes: 8 << 20, Budget: NewBudget(64 << 20)}
			set(&s, f)
			benchMailbox(b, s, f)
		})
	}
}

func benchMailbox(b *testing.B, set Settings, f *finish) {
	b.Helper()
	wake, acks := make(chan struct{}, 1), make(chan func(error), 1<<16)
	go func() {
		for ack := range acks {
			ack(nil)
		}
	}()
	set.Commit = func(_ Progress, _ bool, done func(error)) { acks <- done }
	set.Tell = func(Report) {}
	set.Wake = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	system, box := benchSystem(), NewMailbox(set)
	pid := system.Root.Spawn(Props(box))
	seek := box.Open(0, 0, Progress{})
	b.ReportAllocs()
	b.ResetTimer()
	for at := 0; at < b.N; {
		if box.Room() <= 0 {
			<-wake
			continue
		}
		n := min(fetchLen, b.N-at)
		box.Deliver(seek, &fetch{int64(at), n}, Extent{})
		at += n
	}
	<-f.done
	b.StopTimer()
	if err := system.Root.StopFuture(pid).Wait(); err != nil {
		b.Error(err)
	}
	box.Close()
	close(acks)
}

// BenchmarkProtoactorsMailbox is the peer: the same records as ordinary messages to an actor on protoactor's
// unbounded mailbox. No offsets, no bound, no commit, no redelivery; a message whose handling fails is lost.
func BenchmarkProtoactorsMailbox(b *testing.B) {
	f := &finish{int64(b.N) - 1, make(chan struct{})}
	system := benchSystem()
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return ignoring{f} }))
	b.ReportAllocs()
	b.ResetTimer()
	for at := 0; at < b.N; {
		one := &fetch{int64(at), min(fetchLen, b.N-at)}
		slab := make([]messages.Record, one.n)
		for i := range slab {
			one.Read(i, &slab[i])
			system.Root.Send(pid, &slab[i])
		}
		at += one.n
	}
	<-f.done
	b.StopTimer()
	if err := system.Root.StopFuture(pid).Wait(); err != nil {
		b.Error(err)
	}
}

// BenchmarkBacklog is the ring alone.
func BenchmarkBacklog(b *testing.B) {
	var q Backlog
	seek := q.Await(0)
	var r messages.Record
	b.ReportAllocs()
	for at := 0; at < b.N; {
		one := &fetch{int64(at), min(fetchLen, b.N-at)}
		q.Append(seek, one)
		for range one.n {
			t, _ := q.Take()
			t.Read(&r)
			q.Finish(t.Offset)
		}
		at += one.n
	}
}
