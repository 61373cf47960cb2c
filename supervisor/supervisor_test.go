package supervisor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// broken seams panic once at a method, or always.
type broken struct {
	supervisor.Membership
	supervisor.Source
	supervisor.Committer
	supervisor.Commits

	method string
	times  *int
}

func (b broken) fail(method string) {
	if b.method == method && *b.times > 0 {
		*b.times--
		panic(method)
	}
}

type (
	brokenMembership struct{ broken }
	brokenSource     struct{ broken }
	brokenCommitter  struct{ broken }
	brokenCommits    struct{ broken }
)

func (b brokenMembership) Start() { b.fail("Start"); b.Membership.Start() }
func (b brokenMembership) Leave(ctx context.Context) error {
	b.fail("Leave")
	return b.Membership.Leave(ctx)
}
func (b brokenMembership) Close()                      { b.Membership.Close(); b.fail("Membership.Close") }
func (b brokenMembership) Released(c []messages.Claim) { b.fail("Released"); b.Membership.Released(c) }

func (b brokenSource) Open(c messages.Claim, offset int64, seek uint64, sink actors.Sink) {
	b.fail("Open")
	b.Source.Open(c, offset, seek, sink)
}
func (b brokenSource) Seek(c messages.Claim, offset int64, seek uint64) {
	b.Source.Seek(c, offset, seek)
}
func (b brokenSource) Wake(c messages.Claim)  { b.Source.Wake(c) }
func (b brokenSource) Close(c messages.Claim) { b.fail("Source.Close"); b.Source.Close(c) }
func (b brokenSource) Stop()                  { b.Source.Stop(); b.fail("Source.Stop") }

func (b brokenCommitter) Claim(c messages.Claim) supervisor.Commits {
	b.fail("Claim")
	b.Commits = b.Committer.Claim(c)
	return brokenCommits(b)
}
func (b brokenCommitter) Stop() { b.Committer.Stop(); b.fail("Committer.Stop") }

func (b brokenCommits) Start(ctx context.Context) (supervisor.Start, error) {
	b.fail("Commits.Start")
	return b.Commits.Start(ctx)
}

func (b brokenCommits) Commit(p actors.Progress, urgent bool, done func(error)) {
	b.Commits.Commit(p, urgent, done)
}

func (b brokenCommits) Readable(ctx context.Context, offset int64, skip bool) (int64, error) {
	b.fail("Readable")
	return b.Commits.Readable(ctx, offset, skip)
}
func (b brokenCommits) Advance(ctx context.Context, next int64) error {
	return b.Commits.Advance(ctx, next)
}
func (b brokenCommits) Flush(ctx context.Context) error { b.fail("Flush"); return b.Commits.Flush(ctx) }
func (b brokenCommits) Close()                          { b.fail("Commits.Close"); b.Commits.Close() }

// A fault of the library's own code, wherever it strikes, does not leave claims that nobody owns, does not end the
// process, and does not let Run hang: the consumer drains, or, where that is broken, ends as by a kill; and says so.
func TestFaultsOfOurOwn(t *testing.T) {
	for _, method := range []string{
		"Start", "Leave", "Membership.Close", "Released", "Open", "Source.Close", "Source.Stop", "Claim", "Committer.Stop",
		"Commits.Start", "Readable", "Flush", "Commits.Close",
	} {
		for name, times := range map[string]int{"once": 1, "always": 1 << 30} {
			t.Run(method+" "+name, func(t *testing.T) {
				setup := consumertest.Setup{Config: config{Handler: consumertest.Script()}}
				setup.Adjust = func(set *supervisor.Settings) {
					connect := set.Connect
					set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) {
						link, err := connect(inbox)
						b := broken{Membership: link.Membership, Source: link.Source, Committer: link.Committer, method: method, times: &times}
						return supervisor.Link{Membership: brokenMembership{b}, Source: brokenSource{b}, Committer: brokenCommitter{b}}, err
					}
				}
				setup.Run(t, func(t *testing.T, k *kit) {
					k.Forgive() // a seam that panicked has not kept its contract either
					if method == "Start" {
						if err := k.Wait(); err == nil || !strings.Contains(err.Error(), method) {
							t.Errorf("ended with %v", err)
						}
						return
					}
					p := k.Assign("orders", 0)
					if k.Status().Phase != "member" { // it has struck already
						if err := k.Wait(); err == nil || !strings.Contains(err.Error(), method) {
							t.Errorf("ended with %v", err)
						}
						return
					}
					other := k.Assign("orders", 1)
					k.Produce("orders", 0, "a")
					k.Produce("orders", 1, "b")
					if method == "Readable" {
						p.Corrupt(1, errBoom)
						p.Append("c")
						k.Tell(&messages.SkipHead{Head: p.Head(1)})
					}
					other.StartRevoke(time.Second)
					k.Advance(5 * time.Second)
					k.Tell(&messages.Drain{})
					err := k.Wait()
					atTheEnd := method == "Membership.Close" || method == "Source.Stop" || method == "Committer.Stop"
					if !atTheEnd && err == nil { // else everything was done before, and it is in the log
						t.Errorf("ended with %v", err)
					}
					if !logged(k, "the supervisor failed", method) {
						t.Error("not in the log")
					}
					expect(t, "phase", k.Status().Phase, "stopped")
				})
			})
		}
	}
}

// mute is an error whose text cannot be had, as that of a typed nil.
type mute struct{}

func (*mute) Error() string { panic("no text") }

// What a user's type does in a status must not keep the consumer from its end.
func TestAClaimWhoseStatusPanics(t *testing.T) {
	for name, how := range map[string]any{"drain": &messages.Drain{}, "kill": &messages.Kill{}} {
		t.Run(name, func(t *testing.T) {
			handler := func(context.Context, *messages.Record) error { return &mute{} }
			consumertest.Run(t, config{Handler: handler, Policy: always(supervisor.Park("look"))}, func(t *testing.T, k *kit) {
				k.Assign("orders", 0).Append("a")
				k.Tell(how)
				k.Advance(time.Minute)
				expect(t, "ends", k.Ends(), 1)
			})
		})
	}
}
