package source

import (
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// silentListener accepts connections and says nothing.
func silentListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range all {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

// TestUnknownTopic: it may come yet. It is waited for, not created, the user is told after a while, and again when it
// is over.
func TestUnknownTopic(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	notices := make(chan error, 10)
	s := newSource(t, c.ListenAddrs(), Options{noticeAfter: 100 * time.Millisecond, Notice: func(err error) { notices <- err }})
	b := openBox(t, s, 0, 0, mib, nil)
	openBox(t, s, 1, 0, mib, nil) // one notice for a topic, not one for each partition
	notice := <-notices
	if !errors.Is(notice, sarama.ErrUnknownTopicOrPartition) || !strings.Contains(notice.Error(), `"t"`) || !strings.Contains(notice.Error(), "create it") {
		t.Errorf("%v", notice)
	}
	during(100 * time.Millisecond)
	if c.TopicInfo("t") != nil {
		t.Error("the topic was created by asking for it")
	}
	if err := c.CreateTopic("t", 2, nil); err != nil {
		t.Fatal(err)
	}
	fill(t, c.ListenAddrs(), 20, 2, 10)
	eventually(t, 5*time.Second, "it is read", func() bool { return b.count() == 10 })
	if err := <-notices; err != nil {
		t.Errorf("%v", err)
	}
	during(100 * time.Millisecond)
	if len(notices) > 0 || len(b.failures()) > 0 {
		t.Errorf("%d more notices, failures %v", len(notices), b.failures())
	}
}

// TestNoticeAfterAPause: one failure, a long pause in which nobody tries, and one more. "Could not be read for an hour,
// still trying" is not what happened.
func TestNoticeAfterAPause(t *testing.T) {
	c := newCluster(t, 1, 1)
	sc := newScript(t, c, map[int32][]raw{0: manyBatches(5, 1, 100)})
	failed := 0
	k := newSink(mib)
	sc.set(func(_ *kmsg.FetchRequest, p *kmsg.FetchResponse) bool {
		if failed++; failed > 2 {
			return false
		}
		if failed == 1 {
			k.room.Store(-1)
		}
		rt, rp := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		rp.ErrorCode, rp.RecordBatches = int16(sarama.ErrNotLeaderForPartition), []byte{}
		rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
		p.Topics = append(p.Topics, rt)
		return true
	})
	notices := make(chan error, 10)
	s := newSource(t, c.ListenAddrs(), Options{noticeAfter: 300 * time.Millisecond, Notice: func(err error) { notices <- err }})
	claim := newClaim(0)
	s.Open(claim, 0, 1, k)
	eventually(t, 5*time.Second, "it has failed", func() bool { return sc.requests() == 1 })
	during(400 * time.Millisecond)
	k.room.Store(mib)
	s.Wake(claim)
	eventually(t, 5*time.Second, "it is read", func() bool { return k.records() == 5 })
	for len(notices) > 0 {
		if err := <-notices; err != nil {
			t.Errorf("after one failure since the pause: %v", err)
		}
	}
}

// TestNoticeEndsWithTheClaim: a claim that is closed takes its trouble with it.
func TestNoticeEndsWithTheClaim(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	notices := make(chan error, 10)
	s := newSource(t, c.ListenAddrs(), Options{noticeAfter: 50 * time.Millisecond, Notice: func(err error) { notices <- err }})
	b := openBox(t, s, 0, 0, mib, nil)
	if err := <-notices; err == nil {
		t.Error("all is well, first")
	}
	s.Close(b.claim)
	if err := <-notices; err != nil {
		t.Error(err)
	}
}

// TestNotAuthorised: told by the leader, or by the cluster when it is asked for the leader. The partition waits for a
// Seek, and nobody is asked in the meantime.
func TestNotAuthorised(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Metadata} {
		t.Run(key.Name(), func(t *testing.T) {
			c := newCluster(t, 1, 1)
			fill(t, c.ListenAddrs(), 10, 1, 10)
			var refuse atomic.Bool
			refuse.Store(true)
			var asked atomic.Int64
			c.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				asked.Add(1)
				if !refuse.Load() {
					return nil, nil, false
				}
				if q, ok := req.(*kmsg.FetchRequest); ok {
					p := q.ResponseKind().(*kmsg.FetchResponse)
					rt, rp := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
					rp.ErrorCode, rp.RecordBatches = int16(sarama.ErrTopicAuthorizationFailed), []byte{}
					rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
					p.Topics = append(p.Topics, rt)
					return p, nil, true
				}
				p := req.ResponseKind().(*kmsg.MetadataResponse)
				b, rt := kmsg.NewMetadataResponseBroker(), kmsg.NewMetadataResponseTopic()
				host, port, _ := net.SplitHostPort(c.ListenAddrs()[0])
				b.Host, b.Port = host, atoi(port)
				topic := "t"
				rt.Topic, rt.ErrorCode = &topic, int16(sarama.ErrTopicAuthorizationFailed)
				p.Brokers, p.Topics = append(p.Brokers, b), append(p.Topics, rt)
				return p, nil, true
			})
			s := newSource(t, c.ListenAddrs(), Options{})
			b := openBox(t, s, 0, 0, mib, nil)
			eventually(t, 5*time.Second, "told", func() bool { return len(b.failures()) == 1 })
			var pe *PartitionError
			if err := b.failures()[0]; !errors.As(err, &pe) || !errors.Is(err, sarama.ErrTopicAuthorizationFailed) || pe.Remedy == "" {
				t.Errorf("%v", err)
			}
			if key == kmsg.Metadata {
				begun := time.Now()
				if _, _, err := s.Range(t.Context(), "t", 0); !errors.As(err, &pe) || time.Since(begun) > 2*time.Second {
					t.Errorf("the range: %v after %v", err, time.Since(begun))
				}
			}
			n := asked.Load()
			during(200 * time.Millisecond)
			if asked.Load() > n {
				t.Errorf("asked %d times more", asked.Load()-n)
			}
			refuse.Store(false)
			s.Seek(b.claim, 0, 2)
			eventually(t, 5*time.Second, "it is read", func() bool { return b.count() == 10 })
		})
	}
}

func atoi(s string) (n int32) {
	for _, c := range s {
		n = 10*n + c - '0'
	}
	return n
}

// TestSilentBroker: a broker that has stopped answering is cut off after a while, and asked anew.
func TestSilentBroker(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 10, 1, 10)
	var silent atomic.Bool
	silent.Store(true)
	quiet := make(chan struct{})
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if silent.Load() {
			c.SleepControl(func() { <-quiet })
		}
		return nil, nil, false
	})
	t.Cleanup(func() { close(quiet) })
	s := newSource(t, c.ListenAddrs(), Options{RequestTimeout: 200 * time.Millisecond})
	b := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 5*time.Second, "asked again", func() bool { return s.requests.Load() == 3 })
	silent.Store(false)
	eventually(t, 5*time.Second, "it is read", func() bool { return b.count() == 10 })
}

// crawling is a dialer whose connections bring few bytes at a time.
type crawling struct{ by time.Duration }

type crawl struct {
	net.Conn

	by time.Duration
}

func (d crawling) Dial(network, addr string) (net.Conn, error) {
	c, err := net.Dial(network, addr)
	return &crawl{c, d.by}, err
}

func (c *crawl) Read(b []byte) (int, error) {
	if len(b) > 4096 {
		during(c.by)
		b = b[:4096]
	}
	return c.Conn.Read(b)
}

// TestSlowAnswerIsNotCut: an answer that takes longer than the time-out as a whole, but is on its way all the time, is
// waited for. Cutting it asks for the same again, which takes as long, for ever.
func TestSlowAnswerIsNotCut(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 1, 1, 200_000)
	config := saramaConfig()
	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, crawling{15 * time.Millisecond}
	s := newSource(t, c.ListenAddrs(), Options{Config: config, RequestTimeout: 100 * time.Millisecond, MaxWait: 20 * time.Millisecond})
	begun := time.Now()
	b := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 10*time.Second, "it is read", func() bool { return b.count() == 1 })
	if d := time.Since(begun); d < 300*time.Millisecond {
		t.Fatalf("it took %v: this test shows nothing", d)
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{}); !errors.Is(err, errNoConfig) {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{Config: saramaConfig()}); !errors.Is(err, errNoCluster) {
		t.Errorf("%v", err)
	}
	o, err := Options{Config: saramaConfig(), Cluster: newSource(t, nil, Options{}).options.Cluster, MaxBytes: 1 << 40, PartitionBytes: 1 << 40}.filled()
	if err != nil || o.MaxBytes != 1<<31-1 || o.PartitionBytes != o.MaxBytes || o.MaxWait != 100*time.Millisecond || o.Connections != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}
