package source

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestManyPartitions: a thousand idle partitions of three brokers: each knows its extent soon, with a handful of
// goroutines, and one look at the metadata.
func TestManyPartitions(t *testing.T) {
	const parts = 1000
	c := newCluster(t, 3, parts)
	var looks, racks atomic.Int64
	c.ControlKey(-1, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		switch q := req.(type) {
		case *kmsg.MetadataRequest:
			looks.Add(1)
		case *kmsg.FetchRequest:
			if q.Rack != "" {
				racks.Add(1)
			}
		}
		return nil, nil, false
	})
	config := saramaConfig()
	config.RackID = "rack-1" // sent, it would have the leader name a follower, and send no records
	before := runtime.NumGoroutine()
	s := newSource(t, c.ListenAddrs(), Options{Config: config})
	sinks := make([]*sink, parts)
	for p := range sinks {
		sinks[p] = newSink(mib)
		s.Open(newClaim(int32(p)), 0, 1, sinks[p])
	}
	for p, k := range sinks {
		eventually(t, 10*time.Second, "the extent is told", func() bool { return k.told() })
		if err := k.fault(); err != nil {
			t.Errorf("partition %d: %v", p, err)
		}
	}
	// Of kfake's, too: two for each of our six connections.
	if n := runtime.NumGoroutine() - before; n > 60 {
		t.Errorf("%d goroutines", n)
	}
	if looks.Load() > 10 || racks.Load() > 0 {
		t.Errorf("%d metadata requests, %d fetches with a rack", looks.Load(), racks.Load())
	}
}
