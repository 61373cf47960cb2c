package consumertest

import (
	"testing/synctest"
	"time"
)

// FailCommits makes the next n offset commits fail with err; n < 0: all, until the next call. Each is tried again after
// 100 ms, doubling up to 1 s, while its claim is open. After a *supervisor.GoneError, which says that the partition was
// deleted, a claim that ends does not wait for its last commit.
func (k *Kit) FailCommits(n int, err error) {
	k.fail(&k.failCommits, n, err)
}

// CommitTime is how long a commit takes from now on. Default: no time.
func (k *Kit) CommitTime(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commitTime = d
}

// committing is what the next commit is to do.
func (k *Kit) committing() (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commitTime, k.failCommits.spend()
}

// FailStarts makes the next n look-ups of where a claim begins fail with err; n < 0: all, until the next call.
func (k *Kit) FailStarts(n int, err error) {
	k.fail(&k.failStarts, n, err)
}

func (k *Kit) starting() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failStarts.spend()
}

// FailStore makes the next n calls of the Config's offset store fail with err, Acquire and Advance alike, in the place of
// reaching it; n < 0: all, until the next call. A handler's own transaction is not among them: see [Store.FailSaves].
func (k *Kit) FailStore(n int, err error) {
	k.fail(&k.failStore, n, err)
}

func (k *Kit) storing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failStore.spend()
}

// LeaveTakes says how long the group takes to answer a leave, and what. Default: nothing, at once.
func (k *Kit) LeaveTakes(d time.Duration, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaveTime, k.leaveErr = d, err
}

func (k *Kit) leaving() (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leaveTime, k.leaveErr
}

// failing is what is to fail, how often, and with what.
type failing struct {
	left int // < 0: until somebody says otherwise
	err  error
}

func (k *Kit) fail(what *failing, n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*what = failing{n, err}
}

// spend needs the lock of whoever has it.
func (f *failing) spend() error {
	if f.left == 0 {
		return nil
	}
	if f.left > 0 {
		f.left--
	}
	return f.err
}

// Expel ends the membership for good, as a group does that refuses the member: everything is lost.
func (k *Kit) Expel(err error) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	l.membership.expel(err)
	synctest.Wait()
}

// Notice tells what a membership wants a user to read; nil clears it.
func (k *Kit) Notice(err error) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	l.membership.inbox.Notice(err)
	synctest.Wait()
}

// Forgive says that breaches of a seam's contract do not fail the test any more. It is for tests that break a seam.
func (k *Kit) Forgive() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgiving = true
}

// fault fails the test: the supervisor broke the contract of a seam. Nobody may hold k.mu.
func (k *Kit) fault(format string, args ...any) {
	k.mu.Lock()
	forgiving := k.forgiving
	k.mu.Unlock()
	if !forgiving {
		k.t.Errorf("contract of a seam: "+format, args...)
	}
}
