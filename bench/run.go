package main

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// run measures one consumer over n records.
type run struct {
	n     int64
	seen  atomic.Int64
	first time.Time
	done  chan struct{}
	once  sync.Once
	cpu   time.Duration
	heap  runtime.MemStats
}

type result struct {
	rate   float64 // records a second, from the first record to the last
	cpu    float64 // ns a record
	allocs float64 // a record
	bytes  float64 // a record
}

func begin(n int) *run {
	r := &run{n: int64(n), done: make(chan struct{}), cpu: cpuTime()}
	runtime.GC()
	runtime.ReadMemStats(&r.heap)
	return r
}

// record is what the no-op handlers call.
func (r *run) record() {
	switch r.seen.Add(1) {
	case 1:
		r.first = time.Now()
	case r.n:
		r.once.Do(func() { close(r.done) })
	}
}

func (r *run) end() result {
	took := time.Since(r.first)
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	n := float64(r.n)
	return result{
		rate: n / took.Seconds(), cpu: float64(cpuTime()-r.cpu) / n,
		allocs: float64(now.Mallocs-r.heap.Mallocs) / n, bytes: float64(now.TotalAlloc-r.heap.TotalAlloc) / n,
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median of one figure over several results.
func median(results []result, of func(result) float64) float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
