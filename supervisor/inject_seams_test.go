package supervisor_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A panic in what the supervisor and the mailboxes call, at each method of each seam, before it has done anything or behind
// that: in the supervisor's turn, in its background, and in the goroutine of a mailbox, under its lock. A method that is new
// makes the test fail, unless the wrappers below know it and the script of a run comes to it.
func TestAFaultInEachSeam(t *testing.T) {
	points := inject(t, func(trap *trap) *injection {
		in := &injection{trap: trap}
		in.adapt = in.seams
		return in
	}, false)
	for name, seam := range map[string]reflect.Type{
		"Membership": reflect.TypeFor[supervisor.Membership](), "Source": reflect.TypeFor[supervisor.Source](),
		"Committer": reflect.TypeFor[supervisor.Committer](), "Commits": reflect.TypeFor[supervisor.Commits](),
		"Inbox": reflect.TypeFor[supervisor.Inbox](),
	} {
		for m := range seam.Methods() {
			if point := name + "." + m.Name; !slices.ContainsFunc(points, func(p string) bool { return strings.HasSuffix(p, " "+point) }) {
				t.Errorf("there was no fault in %s", point)
			}
		}
	}
}

// seams puts points before and behind each method.
func (in *injection) seams(set *supervisor.Settings) {
	connect := set.Connect
	set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) {
		in.pass("before Connect")
		link, err := connect(tappedInbox{in, inbox})
		link.Membership, link.Source = tappedMembership{in, link.Membership}, tappedSource{in, link.Source}
		link.Committer = tappedCommitter{in, link.Committer}
		return link, err
	}
	event := set.Event
	set.Event = func(e messages.Event) {
		in.pass("before Event")
		if event != nil {
			event(e)
		}
	}
	set.Random = func() float64 {
		in.pass("before Random")
		return 0
	}
}

// around passes the points of a method.
func (in *injection) around(method string, do func()) {
	in.pass("before " + method)
	do()
	in.pass("behind " + method)
}

// end is around, for what ends the goroutines of the seam itself: without it they would be left.
func (in *injection) end(method string, do func()) {
	do()
	in.pass("behind " + method)
}

type tappedMembership struct {
	in *injection
	to supervisor.Membership
}

func (w tappedMembership) Start() { w.in.around("Membership.Start", w.to.Start) }
func (w tappedMembership) Released(c []messages.Claim) {
	w.in.around("Membership.Released", func() { w.to.Released(c) })
}

func (w tappedMembership) Leave(ctx context.Context) (err error) {
	w.in.around("Membership.Leave", func() { err = w.to.Leave(ctx) })
	return err
}
func (w tappedMembership) Close() { w.in.end("Membership.Close", w.to.Close) }

type tappedSource struct {
	in *injection
	to supervisor.Source
}

func (w tappedSource) Open(c messages.Claim, offset int64, seek uint64, sink actors.Sink) {
	w.in.around("Source.Open", func() { w.to.Open(c, offset, seek, sink) })
}

func (w tappedSource) Seek(c messages.Claim, offset int64, seek uint64) {
	w.in.around("Source.Seek", func() { w.to.Seek(c, offset, seek) })
}
func (w tappedSource) Wake(c messages.Claim) { w.in.around("Source.Wake", func() { w.to.Wake(c) }) }
func (w tappedSource) Close(c messages.Claim) {
	w.in.around("Source.Close", func() { w.to.Close(c) })
}
func (w tappedSource) Stop() { w.in.end("Source.Stop", w.to.Stop) }

type tappedCommitter struct {
	in *injection
	to supervisor.Committer
}

func (w tappedCommitter) Claim(c messages.Claim) (commits supervisor.Commits) {
	w.in.around("Committer.Claim", func() { commits = tappedCommits{w.in, w.to.Claim(c)} })
	return commits
}
func (w tappedCommitter) Stop() { w.in.end("Committer.Stop", w.to.Stop) }

type tappedCommits struct {
	in *injection
	to supervisor.Commits
}

func (w tappedCommits) Start(ctx context.Context) (start supervisor.Start, err error) {
	w.in.around("Commits.Start", func() { start, err = w.to.Start(ctx) })
	return start, err
}

func (w tappedCommits) Readable(ctx context.Context, offset int64, skip bool) (next int64, err error) {
	w.in.around("Commits.Readable", func() { next, err = w.to.Readable(ctx, offset, skip) })
	return next, err
}

func (w tappedCommits) Commit(p actors.Progress, urgent bool, done func(error)) {
	w.in.around("Commits.Commit", func() { w.to.Commit(p, urgent, done) })
}

func (w tappedCommits) Advance(ctx context.Context, next int64) (err error) {
	w.in.around("Commits.Advance", func() { err = w.to.Advance(ctx, next) })
	return err
}

func (w tappedCommits) Flush(ctx context.Context) (err error) {
	w.in.around("Commits.Flush", func() { err = w.to.Flush(ctx) })
	return err
}
func (w tappedCommits) Close() { w.in.around("Commits.Close", w.to.Close) }

// tappedInbox only notes that a method was called: it is the member's and the committer's goroutines that call it, and what it
// does is send a message. TestInjectMessages has a fault in each of these.
type tappedInbox struct {
	in *injection
	to supervisor.Inbox
}

func (w tappedInbox) Joined(member string, generation int32) {
	w.in.note("Inbox.Joined")
	w.to.Joined(member, generation)
}

func (w tappedInbox) Assigned(claims []messages.Claim) {
	w.in.note("Inbox.Assigned")
	w.to.Assigned(claims)
}

func (w tappedInbox) Revoked(claims []messages.Claim, deadline time.Time) {
	w.in.note("Inbox.Revoked")
	w.to.Revoked(claims, deadline)
}

func (w tappedInbox) Lost(claims []messages.Claim, err error) {
	w.in.note("Inbox.Lost")
	w.to.Lost(claims, err)
}

func (w tappedInbox) Ended(err error) {
	w.in.note("Inbox.Ended")
	w.to.Ended(err)
}

func (w tappedInbox) CommitFailed(claim messages.Claim, next int64, err error, final bool) {
	w.in.note("Inbox.CommitFailed")
	w.to.CommitFailed(claim, next, err, final)
}

func (w tappedInbox) Committed(claim messages.Claim, next int64) {
	w.in.note("Inbox.Committed")
	w.to.Committed(claim, next)
}

func (w tappedInbox) Notice(err error) {
	w.in.note("Inbox.Notice")
	w.to.Notice(err)
}
