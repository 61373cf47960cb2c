// Chaos consumes from three real brokers while it kills, stops, drains and cuts off consumers, and kills, stops and
// restarts brokers; then it holds every record that was handled, and every offset that was committed, against what
// Ottla promises.
//
//	bash test/with-kafka.sh -n 3 go run ./test/chaos -for 30m
//
// The order of the faults follows from a seed, which is printed; what comes of them is the machine's. It produces
// all the time (acks=all, idempotent) into twelve partitions, for four to six processes of examples/90-soak, whose
// handlers fail and panic now and then, and are just fast enough: what stood still has a backlog for a while, and so has
// who is cut off. One without could not be seen to go on where it must not. Each process has a network of its own
// (test/cable).
//
// Status 0: every promise was kept. 1: one was not, or the run could not be made; the story of it is printed. The last
// line is the sum.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

type flags struct {
	length, session, work time.Duration
	seed                  uint64
	rate                  int
	dir                   string
}

const (
	partitions = 12
	places     = 6 // for workers
	atFirst    = 5 // workers
)

func main() {
	var f flags
	flag.DurationVar(&f.length, "for", 3*time.Minute, "how long faults are made; what has begun is brought to its end")
	flag.Uint64Var(&f.seed, "seed", 0, "of the order of the faults; 0: a random one")
	flag.DurationVar(&f.session, "session", 6*time.Second, "the consumers' session timeout")
	flag.IntVar(&f.rate, "rate", 300, "records produced in a second")
	flag.DurationVar(&f.work, "work", 60*time.Millisecond, "a handler takes a uniform random time up to this; with the default of rate, partitions are busy three quarters of the time")
	flag.StringVar(&f.dir, "dir", "", "where to keep all that is said; default: a temporary folder, which stays if the run fails")
	flag.Parse()
	if f.seed == 0 {
		f.seed = rand.Uint64N(1_000_000) + 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := f.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

var errBreached = errors.New("not every promise was kept")

func (f *flags) run(ctx context.Context) (err error) {
	brokers := strings.Split(os.Getenv("OTTLA_TEST_BROKERS"), ",")
	dir := os.Getenv("OTTLA_TEST_KAFKA_DIR")
	if len(brokers) != 3 || dir == "" {
		return errors.New("three brokers are needed: bash test/with-kafka.sh -n 3 go run ./test/chaos")
	}
	var nodes []node
	for id := 1; id <= len(brokers); id++ {
		nodes = append(nodes, node{id, filepath.Join(dir, fmt.Sprint("n", id))})
	}
	temporary := f.dir == ""
	if temporary {
		if f.dir, err = os.MkdirTemp("", "ottla-chaos."); err != nil {
			return err
		}
	} else if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	defer func() {
		if err == nil && temporary {
			_ = os.RemoveAll(f.dir)
		} else {
			fmt.Fprintln(os.Stderr, "chaos: all that was said is in", f.dir)
		}
	}()
	soak := filepath.Join(f.dir, "soak")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", soak, "github.com/ottla-go/ottla/examples/90-soak").CombinedOutput(); err != nil {
		return fmt.Errorf("build examples/90-soak: %w\n%s", err, out)
	}
	r, err := newRecorder(f.dir)
	if err != nil {
		return err
	}
	r.say("seed %d, session %v, %d records/s, work up to %v, for %v", f.seed, f.session, f.rate, f.work, f.length)
	topic := fmt.Sprintf("chaos-%d-%d", time.Now().Unix(), os.Getpid())
	c := &cluster{brokers: brokers}
	defer c.close()
	if err := errors.Join(c.create(ctx, topic, partitions), c.whole(ctx)); err != nil {
		return err
	}
	crew, err := newCrew(r, soak, places, "-brokers", strings.Join(brokers, ","), "-topic", topic, "-group", topic,
		"-session", f.session.String(), "-work", f.work.String(), "-errors", "0.01", "-panics", "0.005", "-print")
	if err != nil {
		return err
	}
	defer crew.close()
	if err := f.rage(ctx, r, c, crew, nodes, topic); err != nil {
		return errors.Join(err, r.close())
	}
	if err := f.settle(ctx, r, c, crew, topic); err != nil {
		r.say("%v", err)
	}
	return f.judge(ctx, r, c, topic)
}

// rage runs the load and the faults.
func (f *flags) rage(ctx context.Context, r *recorder, c *cluster, crew *crew, nodes []node, topic string) error {
	for _, p := range crew.places[:atFirst] {
		if err := crew.start(p); err != nil {
			return err
		}
	}
	load, unload := context.WithCancel(ctx)
	defer unload()
	storm, calm := context.WithTimeout(ctx, f.length)
	defer calm()
	var producing, raging sync.WaitGroup
	var produced, onWorkers, onNodes error
	watcher := &cluster{brokers: c.brokers}
	producing.Go(func() {
		watcher.watch(load, topic, topic, r)
		watcher.close()
	})
	producing.Go(func() { r.feel(load) })
	producing.Go(func() { produced = c.produce(load, topic, f.rate, r) })
	raging.Go(func() {
		defer calm()
		onWorkers = crew.abuse(storm, newDeck(f.seed, 1, killWorker, killWorker, drainWorker, drainWorker, stopWorker, stopWorker, cutBoth, cutBoth, cutRequests, cutAnswers, joinWorker, joinWorker), f.session)
	})
	raging.Go(func() {
		defer calm()
		onNodes = shake(storm, newDeck(f.seed, 2, killNode, stopNode, rollNodes), nodes, &cluster{brokers: c.brokers}, r)
	})
	raging.Wait()
	r.say("the storm is over")
	unload()
	producing.Wait()
	return errors.Join(produced, onWorkers, onNodes, ctx.Err())
}

// settle waits until all is committed, and drains the workers. An error is the checker's to see, too.
func (f *flags) settle(ctx context.Context, r *recorder, c *cluster, crew *crew, topic string) error {
	ends, err := insist(ctx, func() (map[int32]int64, error) { return c.ends(ctx, topic, partitions) })
	if err != nil {
		return err
	}
	for begin := time.Now(); ; {
		committed, err := c.committed(ctx, topic, topic)
		open := 0
		for p, end := range ends {
			if committed[p] != end {
				open++
			}
		}
		if err == nil && open == 0 {
			r.say("all is committed, %v after the storm", time.Since(begin).Round(100*time.Millisecond))
			break
		}
		if time.Since(begin) > 10*time.Minute {
			r.say("after 10 min %d partitions are not committed to their end: %v of %v", open, committed, ends)
			break
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	var drains sync.WaitGroup
	ended := make([]error, len(crew.places))
	for i, p := range crew.places {
		if p.now != nil {
			drains.Go(func() { ended[i] = p.now.drain(drainWithin) })
		}
	}
	drains.Wait()
	return errors.Join(ended...)
}

// judge reads what is in the topic and what is committed, and calls the checker.
func (f *flags) judge(ctx context.Context, r *recorder, c *cluster, topic string) error {
	h := &r.history
	var err error
	if h.ends, err = insist(ctx, func() (map[int32]int64, error) { return c.ends(ctx, topic, partitions) }); err == nil {
		h.committed, err = insist(ctx, func() (map[int32]int64, error) { return c.committed(ctx, topic, topic) })
	}
	if err == nil {
		h.log, err = c.read(ctx, topic, h.ends)
	}
	if err := errors.Join(err, r.close()); err != nil {
		return err
	}
	v := check(h, bounds{session: f.session, lag: 2*time.Second + r.stall, margin: time.Second + r.stall, grace: 3*time.Second + r.stall})
	tell(v, h, r.name)
	fmt.Printf("chaos: on this machine a timer was up to %v late\n", r.stall.Round(time.Millisecond))
	for _, text := range figures(v, h) {
		fmt.Println("chaos:", text)
	}
	fmt.Println(summary(v, h, f.seed, f.length))
	if len(v.breaches) > 0 || v.produced == 0 || len(h.faults) == 0 {
		return errBreached
	}
	return nil
}

// insist asks again for a while: a broker may be on its way back.
func insist[T any](ctx context.Context, ask func() (T, error)) (answer T, err error) {
	for begin := time.Now(); ; {
		if answer, err = ask(); err == nil || time.Since(begin) > time.Minute {
			return answer, err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return answer, err
		}
	}
}
