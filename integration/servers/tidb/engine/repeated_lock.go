package main

import (
	"context"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/kverrors"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// KvPessimisticLock also answers a fair lock (one that is taken in spite of a
// write conflict) that the transaction holds already, on which the library
// panics. It may have been taken by another copy of the request in the meantime.
func (s *service) KvPessimisticLock(ctx context.Context, req *kvrpcpb.PessimisticLockRequest) (*kvrpcpb.PessimisticLockResponse, error) {
	if req.GetWakeUpMode() != kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeForceLock || len(req.GetMutations()) != 1 {
		return s.store.KvPessimisticLock(ctx, req)
	}
	for range 2 {
		if resp := s.lockedBefore(ctx, req); resp != nil {
			return resp, nil
		}
		if resp, err := s.lockFairly(ctx, *req); err == nil {
			return resp, nil
		}
	}
	return &kvrpcpb.PessimisticLockResponse{Errors: abort("the lock was taken and given up meanwhile"), Results: failedLock()}, nil
}

// lockFairly is the library's; it may change its request.
func (s *service) lockFairly(ctx context.Context, req kvrpcpb.PessimisticLockRequest) (resp *kvrpcpb.PessimisticLockResponse, err error) {
	defer rescue("KvPessimisticLock", &err)
	return s.store.KvPessimisticLock(ctx, &req)
}

// lockedBefore answers if the lock is held, or its transaction committed; else
// it returns nil.
func (s *service) lockedBefore(ctx context.Context, req *kvrpcpb.PessimisticLockRequest) *kvrpcpb.PessimisticLockResponse {
	if _, fault := s.regions.admit(req.GetContext()); fault != nil {
		return &kvrpcpb.PessimisticLockResponse{RegionError: fault}
	}
	key, startTS := req.GetMutations()[0].GetKey(), req.GetStartVersion()
	if lock := s.writer.lockOf(key, startTS); lock != nil {
		if lock.Op == uint8(kvrpcpb.Op_PessimisticLock) && lock.ForUpdateTS >= req.GetForUpdateTs() {
			return s.lockAgain(ctx, *req, lock)
		}
		return nil
	}
	if end := outcomeOn(s.bundle.DB, key, startTS); end.commitTS > 0 {
		why := kverrors.ErrAlreadyCommitted(end.commitTS).Error()
		return &kvrpcpb.PessimisticLockResponse{Errors: abort(why), Results: failedLock()}
	}
	return nil
}

// lockAgain reads under the lock that is held what the first request answered.
// A lock younger than the request asked for was taken in spite of a conflict at
// its timestamp; then the value is part of the answer, wanted or not.
func (s *service) lockAgain(ctx context.Context, req kvrpcpb.PessimisticLockRequest, lock *mvcc.Lock) *kvrpcpb.PessimisticLockResponse {
	conflict := lock.ForUpdateTS > req.ForUpdateTs
	req.WakeUpMode = kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeNormal
	req.ReturnValues = req.ReturnValues || conflict
	resp, err := s.store.KvPessimisticLock(ctx, &req)
	if err != nil {
		resp = &kvrpcpb.PessimisticLockResponse{Errors: abort(err.Error())}
	}
	if len(resp.Errors) > 0 {
		resp.Results = failedLock()
	}
	if len(resp.Errors) > 0 || resp.RegionError != nil {
		return resp
	}
	result := &kvrpcpb.PessimisticLockKeyResult{Type: kvrpcpb.PessimisticLockKeyResultType_LockResultNormal}
	if conflict {
		result.Type = kvrpcpb.PessimisticLockKeyResultType_LockResultLockedWithConflict
		result.LockedWithConflictTs = lock.ForUpdateTS
	}
	if len(resp.NotFounds) == 1 {
		result.Existence = !resp.NotFounds[0]
	}
	if len(resp.Values) == 1 {
		result.Value = resp.Values[0]
	}
	resp.NotFounds, resp.Values = nil, nil
	resp.Results = []*kvrpcpb.PessimisticLockKeyResult{result}
	return resp
}

func failedLock() []*kvrpcpb.PessimisticLockKeyResult {
	return []*kvrpcpb.PessimisticLockKeyResult{{Type: kvrpcpb.PessimisticLockKeyResultType_LockResultFailed}}
}
