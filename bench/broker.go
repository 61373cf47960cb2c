package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const brokerEnv = "OTTLA_BENCH_BROKER"

func isBroker() bool { return os.Getenv(brokerEnv) != "" }

// serve is the child process: a broker until its standard input ends.
func serve(in io.Reader, out io.Writer) error {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintln(out, strings.Join(c.ListenAddrs(), ",")); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// startBroker runs kfake in a process of its own, so that CPU and allocations of this one are the client's alone.
func startBroker(ctx context.Context) (addrs []string, end func(), err error) {
	cmd := exec.CommandContext(ctx, os.Args[0]) // this very program
	cmd.Env = append(os.Environ(), brokerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	end = func() { _ = in.Close(); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("the broker process did not start: %w", err)
	}
	return strings.Split(strings.TrimSpace(line), ","), end, nil
}

// fill makes the topic and produces n records of random bytes, evenly over its partitions.
func fill(ctx context.Context, addrs []string, topic string, n, size, partitions int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), 1
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if code := res.Topics[0].ErrorCode; code != 0 {
		return fmt.Errorf("create topic %s: error code %d", topic, code)
	}
	pool := make([]byte, 1<<20)
	for i := range pool {
		pool[i] = byte(rand.Uint32())
	}
	var failed atomic.Int64
	for i := range n {
		at := (i * 97) % (len(pool) - size)
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: pool[at : at+size]}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if failed.Load() > 0 {
		return errors.New("some records could not be produced")
	}
	return nil
}
