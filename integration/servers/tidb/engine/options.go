package main

import (
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/pingcap/log"
)

// options is the command line. There is no configuration file: a test cluster
// is fully described by the command that starts it.
type options struct {
	pd            []string
	addr          string
	advertiseAddr string
	statusAddr    string
	dataDir       string
	logFile       string
	storeVersion  string
	regionSize    int64
	gcInterval    time.Duration
	tls           tlsFiles
	dump          bool
	dumpValues    bool
}

func parseOptions(args []string) (options, error) {
	var o options
	var pd string
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	flags.StringVar(&pd, "pd", "127.0.0.1:2379", "PD's client addresses, comma-separated")
	flags.StringVar(&o.addr, "addr", "127.0.0.1:20160", "address to listen on")
	flags.StringVar(&o.advertiseAddr, "advertise-addr", "", "address registered in PD (default: --addr)")
	flags.StringVar(&o.statusAddr, "status-addr", "", "address of the HTTP status server (default: none)")
	flags.StringVar(&o.dataDir, "data-dir", "", "directory of the data (required)")
	flags.StringVar(&o.logFile, "log-file", "", "file of the log (default: standard error)")
	flags.StringVar(&o.storeVersion, "store-version", "8.1.0", "version registered in PD")
	flags.Int64Var(&o.regionSize, "region-size", 96<<20, "bytes after which a region is split")
	flags.DurationVar(&o.gcInterval, "gc-interval", 10*time.Second, "pause between two looks at PD's GC safe point, 0 for never")
	flags.StringVar(&o.tls.ca, "cacert", "", "authority that signs clients' certificates; with it gRPC is served with TLS only")
	flags.StringVar(&o.tls.cert, "cert", "", "certificate of the gRPC server")
	flags.StringVar(&o.tls.key, "key", "", "key of --cert")
	flags.BoolVar(&o.dump, "dump", false, "write everything in --data-dir to standard output and exit")
	flags.BoolVar(&o.dumpValues, "with-values", false, "with --dump: write values instead of their hashes")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.pd = strings.Split(pd, ",")
	if o.advertiseAddr == "" {
		o.advertiseAddr = o.addr
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.dataDir == "":
		return o, fmt.Errorf("--data-dir is required")
	case (o.tls.ca == "") != (o.tls.cert == "") || (o.tls.ca == "") != (o.tls.key == ""):
		return o, fmt.Errorf("--cacert, --cert and --key belong together")
	case o.regionSize <= 0:
		return o, fmt.Errorf("--region-size must be positive")
	}
	return o, nil
}

// startLog sends the log, the store's own included, to a file or standard error.
func startLog(file string) error {
	conf := &log.Config{Level: "info", File: log.FileLogConfig{Filename: file}}
	logger, props, err := log.InitLogger(conf)
	if err != nil {
		return err
	}
	log.ReplaceGlobals(logger, props)
	return nil
}
