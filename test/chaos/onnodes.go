package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// shake does one thing after the other to brokers until ctx ends, never to two at a time: then there would be no quorum.
// Each is over when the cluster is whole again. An error is one of this program, or of the cluster.
func shake(ctx context.Context, d *deck, nodes []node, c *cluster, r *recorder) error {
	defer c.close()
	for pause(ctx, d.between(5*time.Second, 20*time.Second)) == nil {
		kind, n := d.deal(), nodes[d.of(len(nodes))]
		f := fault{kind: kind, begin: time.Now(), aside: fmt.Sprint(n.id)}
		// Less than the 9 s after which a broker is taken for dead, or more.
		length := d.between(time.Second, 14*time.Second)
		var err error
		switch kind {
		case killNode:
			if err = n.signal(syscall.SIGKILL); err == nil {
				wait(length)
				err = n.start()
			}
		case stopNode:
			if err = n.signal(syscall.SIGSTOP); err == nil {
				wait(length)
				err = n.signal(syscall.SIGCONT)
			}
		case rollNodes:
			f.aside = "1, 2, 3"
			err = roll(ctx, nodes, c)
		default:
			err = fmt.Errorf("there is no fault %q", kind)
		}
		if err == nil {
			err = c.whole(context.WithoutCancel(ctx))
		}
		if err != nil {
			return fmt.Errorf("%s of %s: %w", kind, f.aside, err)
		}
		f.end = time.Now()
		r.fault(f)
	}
	return nil
}

// roll restarts one node after the other in order, each when the one before it is back. When storm ends, it begins with no
// other one.
func roll(storm context.Context, nodes []node, c *cluster) error {
	ctx := context.WithoutCancel(storm)
	for i := 0; i < len(nodes) && storm.Err() == nil; i++ {
		n := nodes[i]
		if err := n.end(ctx); err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
		if err := c.whole(ctx); err != nil {
			return err
		}
	}
	return nil
}
