// Command engine is the storage server of the test clusters: it speaks TiKV's
// protocol over the network, keeps its data in a directory, and registers with
// a real PD.
//
// The storage itself (MVCC, locks, deadlock detection, coprocessor) is TiDB's
// own single-node store. What a cluster needs besides it, and what that store
// answers with nothing or with too much, lives in this package: regions that
// can be split, PD's operators, range destruction, checksums, garbage
// collection, durable locks, and a dump of everything stored.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pingcap/log"
	"go.uber.org/zap"
)

func main() {
	opts, err := parseOptions(os.Args[1:])
	if err == nil && opts.dump {
		err = dumpOffline(opts, os.Stdout)
	} else if err == nil {
		err = serve(opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

// serve runs the engine until a signal asks it to stop.
func serve(opts options) error {
	if err := startLog(opts.logFile); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	node, err := startNode(opts)
	if err != nil {
		return err
	}
	log.Info("engine is ready", zap.String("address", opts.advertiseAddr))
	select {
	case <-ctx.Done():
		log.Info("engine is stopping")
	case err = <-node.failed:
	}
	node.stop()
	return err
}
