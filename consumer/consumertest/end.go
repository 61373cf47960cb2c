package consumertest

import (
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Drain does what the end of Run's context does, and answers what Run would return.
func (k *Kit) Drain() error { return k.end(&messages.Drain{}) }

// Stop does what a second signal does, and answers what Run would return.
func (k *Kit) Stop() error { return k.end(&messages.Stop{}) }

// Kill does what a third signal does, and answers what Run would return.
func (k *Kit) Kill() error { return k.end(&messages.Kill{}) }

func (k *Kit) end(how any) error {
	k.t.Helper()
	n := k.Ends()
	if pid := k.PID(); pid != nil {
		k.sys.Root.Send(pid, how)
	}
	return k.awaitEnd(n)
}

// Wait waits for the end of the consumer, which something else has caused, and answers what Run would return.
func (k *Kit) Wait() error {
	k.t.Helper()
	return k.awaitEnd(0)
}

// Ends is how many incarnations of the consumer have ended. Without a Parent there is only one.
func (k *Kit) Ends() int {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ends)
}

// awaitEnd waits until more than n incarnations have ended, or the only one has, and answers the last one's error.
func (k *Kit) awaitEnd(n int) error {
	k.t.Helper()
	deadline := time.Now().Add(k.patience())
	for {
		k.mu.Lock()
		change, ends := k.change, k.ends
		k.mu.Unlock()
		if len(ends) > n || (len(ends) > 0 && !k.set.Embedded) {
			synctest.Wait()
			return ends[len(ends)-1]
		}
		if !k.within(change, time.Until(deadline)) {
			k.t.Fatalf("the consumer did not end within %v:\n%v", k.patience(), k.describe())
		}
	}
}

// hasEnded is Settings.Ended.
func (k *Kit) hasEnded(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ends = append(k.ends, err)
	close(k.change)
	k.change = make(chan struct{})
}
