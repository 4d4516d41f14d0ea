package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/import_sstpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// node is the running process: one store, its servers and its background work.
type node struct {
	opts    options
	regions *regions
	store   *store
	grpc    *grpc.Server
	status  *http.Server
	// failed gets the error of a server that stopped by itself.
	failed chan error

	cancel     context.CancelFunc
	background sync.WaitGroup
}

// maxMessage is the limit of a message, as large as a region's worth of rows.
const maxMessage = 256 * mib

// stopPatience is how long requests may take to end at a graceful stop.
const stopPatience = 3 * time.Second

func startNode(opts options) (*node, error) {
	if err := os.MkdirAll(opts.dataDir, 0o755); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return nil, err
	}
	client, err := pd.NewClient(opts.pd, "engine")
	if err != nil {
		return nil, err
	}
	n := &node{opts: opts, failed: make(chan error, 2)}
	if n.regions, err = openRegions(opts, client); err != nil {
		return nil, err
	}
	if n.store, err = openStore(opts, n.regions, client); err != nil {
		return nil, err
	}
	if err = n.startStatus(); err != nil {
		return nil, err
	}
	secured, err := opts.tls.serverOptions()
	if err != nil {
		return nil, err
	}
	n.startBackground()
	n.grpc = newGRPCServer(n.store, secured...)
	go func() { n.failed <- n.grpc.Serve(listener) }()
	return n, nil
}

func newGRPCServer(s *store, more ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(more,
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(1024),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.calls.noteUnary, recoverUnary, s.holdUnary),
		grpc.ChainStreamInterceptor(s.calls.noteStream, recoverStream),
	)...)
	tikvpb.RegisterTikvServer(server, &service{s})
	import_sstpb.RegisterImportSSTServer(server, importer{store: s})
	ready := health.NewServer()
	ready.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, ready)
	return server
}

func (n *node) startBackground() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, work := range []func(context.Context){n.regions.runStoreHeartbeat, n.runSizeCheck, n.store.runSafeTS, n.runGC} {
		n.background.Add(1)
		go func() {
			defer n.background.Done()
			work(ctx)
		}()
	}
}

// stop ends, in this order: new requests, requests being served, background
// work, the store.
func (n *node) stop() {
	stopped := make(chan struct{})
	go func() {
		n.grpc.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(stopPatience):
		n.grpc.Stop()
	}
	if n.status != nil {
		n.status.Close()
	}
	n.cancel()
	n.background.Wait()
	n.regions.stop()
	n.store.stop()
}
