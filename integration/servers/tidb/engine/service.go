package main

import (
	"context"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/tidb/pkg/kv"
	"google.golang.org/grpc"
)

var _ tikvpb.TikvServer = (*service)(nil)

// service is what clients see: TiDB's store with our methods in front of those
// that it answers with nothing, with a constant, or with a panic.
//
// Unary methods run with the store held (see holdUnary), streams hold it for
// each of their commands.
type service struct{ *store }

// holdUnary keeps the store from being replaced while a request is served.
func (s *store) holdUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return handle(ctx, req)
}

// Coprocessor answers checksums itself and leaves the rest to the store.
func (s *service) Coprocessor(ctx context.Context, req *coprocessor.Request) (*coprocessor.Response, error) {
	if req.GetTp() == kv.ReqTypeChecksum {
		return s.checksum(req), nil
	}
	return s.store.Coprocessor(ctx, req)
}

// UnsafeDestroyRange destroys a range on this store, regions or not.
func (s *service) UnsafeDestroyRange(_ context.Context, req *kvrpcpb.UnsafeDestroyRangeRequest) (*kvrpcpb.UnsafeDestroyRangeResponse, error) {
	resp := new(kvrpcpb.UnsafeDestroyRangeResponse)
	if err := s.destroyRange(req.GetStartKey(), req.GetEndKey()); err != nil {
		resp.Error = err.Error()
	}
	return resp, nil
}

// KvDeleteRange destroys the part of a range that lies in the region.
func (s *service) KvDeleteRange(_ context.Context, req *kvrpcpb.DeleteRangeRequest) (*kvrpcpb.DeleteRangeResponse, error) {
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &kvrpcpb.DeleteRangeResponse{RegionError: fault}, nil
	}
	resp := new(kvrpcpb.DeleteRangeResponse)
	start, end := r.clip(req.GetStartKey(), req.GetEndKey())
	if req.GetNotifyOnly() || emptyRange(start, end) {
		return resp, nil
	}
	if err := s.destroyRange(start, end); err != nil {
		resp.Error = err.Error()
	}
	return resp, nil
}

// KvScanLock lists the locks of old transactions in a range of a region.
func (s *service) KvScanLock(_ context.Context, req *kvrpcpb.ScanLockRequest) (*kvrpcpb.ScanLockResponse, error) {
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &kvrpcpb.ScanLockResponse{RegionError: fault}, nil
	}
	start, end := r.clip(req.GetStartKey(), req.GetEndKey())
	locks := s.scanLocks(start, end, req.GetMaxVersion(), int(req.GetLimit()))
	return &kvrpcpb.ScanLockResponse{Locks: locks}, nil
}

// PhysicalScanLock lists the locks of old transactions on the whole store.
func (s *service) PhysicalScanLock(_ context.Context, req *kvrpcpb.PhysicalScanLockRequest) (*kvrpcpb.PhysicalScanLockResponse, error) {
	locks := s.scanLocks(req.GetStartKey(), keysEnd, req.GetMaxTs(), int(req.GetLimit()))
	return &kvrpcpb.PhysicalScanLockResponse{Locks: locks}, nil
}

// GetStoreSafeTS is the time up to which reads need no locks.
func (s *service) GetStoreSafeTS(context.Context, *kvrpcpb.StoreSafeTSRequest) (*kvrpcpb.StoreSafeTSResponse, error) {
	return &kvrpcpb.StoreSafeTSResponse{SafeTs: s.safeTS.now.Load()}, nil
}

// GetLockWaitInfo names nobody: who waits is the store's secret.
func (s *service) GetLockWaitInfo(context.Context, *kvrpcpb.GetLockWaitInfoRequest) (*kvrpcpb.GetLockWaitInfoResponse, error) {
	return new(kvrpcpb.GetLockWaitInfoResponse), nil
}

// CheckLeader confirms no region: there are no other stores to ask for it.
func (s *service) CheckLeader(_ context.Context, req *kvrpcpb.CheckLeaderRequest) (*kvrpcpb.CheckLeaderResponse, error) {
	return &kvrpcpb.CheckLeaderResponse{Ts: req.GetTs()}, nil
}

// BroadcastTxnStatus needs no cache of statuses: readers find them in the store.
func (s *service) BroadcastTxnStatus(context.Context, *kvrpcpb.BroadcastTxnStatusRequest) (*kvrpcpb.BroadcastTxnStatusResponse, error) {
	return new(kvrpcpb.BroadcastTxnStatusResponse), nil
}

// GetHealthFeedback has nothing to complain about.
func (s *service) GetHealthFeedback(context.Context, *kvrpcpb.GetHealthFeedbackRequest) (*kvrpcpb.GetHealthFeedbackResponse, error) {
	return new(kvrpcpb.GetHealthFeedbackResponse), nil
}
