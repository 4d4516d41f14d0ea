package main

import (
	"context"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
)

// A client whose connection breaks sends its requests again, not knowing which
// of them were carried out. TiKV answers the second request as it answered, or
// would have answered, the first. The library does so for some; these methods
// do for the others. They ask the library first and look afterwards how the
// transaction ended: that it has ended stays true, so that no latch is needed.

// notLocked is the library's answer, and in substance TiKV's, to a prewrite
// whose lock is gone.
const notLocked = "pessimistic lock not found"

func abort(why string) []*kvrpcpb.KeyError { return []*kvrpcpb.KeyError{{Abort: why}} }

// KvPrewrite also succeeds when the transaction is committed already, and names
// the commit timestamp to those who wait for one.
func (s *service) KvPrewrite(ctx context.Context, req *kvrpcpb.PrewriteRequest) (*kvrpcpb.PrewriteResponse, error) {
	// The store takes these back in the request itself.
	onePC, async := req.GetTryOnePc(), req.GetUseAsyncCommit()
	resp, err := s.prewrite(ctx, req)
	if resp.GetRegionError() != nil || prewritten(resp, err) && (resp.OnePcCommitTs > 0 || resp.MinCommitTs > 0 || !onePC && !async) {
		return resp, err
	}
	if prewritten(resp, err) && async && !onePC {
		resp.MinCommitTs = s.prewrittenMinCommitTS(req)
	}
	end := s.outcomeOnAny(req.GetStartVersion(), append([][]byte{req.GetPrimaryLock()}, mutatedKeys(req)...)...)
	switch {
	case end.commitTS > 0:
		resp, err = new(kvrpcpb.PrewriteResponse), nil
		if onePC {
			resp.OnePcCommitTs = end.commitTS
		}
		if async {
			resp.MinCommitTs = end.commitTS
		}
	case end.rolledBack && req.GetForUpdateTs() == 0 && err == nil:
		resp = &kvrpcpb.PrewriteResponse{Errors: []*kvrpcpb.KeyError{selfRolledBack(req)}}
	}
	return resp, err
}

func prewritten(resp *kvrpcpb.PrewriteResponse, err error) bool {
	return err == nil && len(resp.GetErrors()) == 0
}

func selfRolledBack(req *kvrpcpb.PrewriteRequest) *kvrpcpb.KeyError {
	ts := req.GetStartVersion()
	return &kvrpcpb.KeyError{Conflict: &kvrpcpb.WriteConflict{
		StartTs: ts, ConflictTs: ts, ConflictCommitTs: ts, Key: req.GetPrimaryLock(), Primary: req.GetPrimaryLock(),
		Reason: kvrpcpb.WriteConflict_SelfRolledBack,
	}}
}

// prewrite is the library's, which panics when a lock that must have a certain
// for_update_ts is gone.
func (s *service) prewrite(ctx context.Context, req *kvrpcpb.PrewriteRequest) (resp *kvrpcpb.PrewriteResponse, err error) {
	defer rescue("KvPrewrite", &err)
	if _, fault := s.regions.admit(req.GetContext()); fault == nil && s.lacksLock(req) {
		return &kvrpcpb.PrewriteResponse{Errors: abort(notLocked)}, nil
	}
	return s.store.KvPrewrite(ctx, req)
}

func (s *service) lacksLock(req *kvrpcpb.PrewriteRequest) bool {
	for _, c := range req.GetForUpdateTsConstraints() {
		at := int(c.GetIndex())
		if at < len(req.GetMutations()) && s.writer.lockOf(req.GetMutations()[at].GetKey(), req.GetStartVersion()) == nil {
			return true
		}
	}
	return false
}

// prewrittenMinCommitTS is what the first of two requests answered: 0 if it had
// given up committing asynchronously.
func (s *service) prewrittenMinCommitTS(req *kvrpcpb.PrewriteRequest) uint64 {
	var ts uint64
	for _, key := range mutatedKeys(req) {
		lock := s.writer.lockOf(key, req.GetStartVersion())
		if lock == nil {
			continue
		}
		if !lock.UseAsyncCommit {
			return 0
		}
		ts = max(ts, lock.MinCommitTS)
	}
	return ts
}

func mutatedKeys(req *kvrpcpb.PrewriteRequest) [][]byte {
	keys := make([][]byte, 0, len(req.GetMutations()))
	for _, m := range req.GetMutations() {
		keys = append(keys, m.GetKey())
	}
	return keys
}

// KvCommit also succeeds for keys that were only locked, of which nothing is
// left when they are committed, and for those committed at another timestamp
// than the client expects. What is still locked is committed with them.
func (s *service) KvCommit(ctx context.Context, req *kvrpcpb.CommitRequest) (*kvrpcpb.CommitResponse, error) {
	resp, err := s.store.KvCommit(ctx, req)
	if err != nil || resp.GetError().GetRetryable() == "" {
		return resp, err
	}
	end := s.outcomeOnAny(req.GetStartVersion(), append([][]byte{req.GetPrimaryKey()}, req.GetKeys()...)...)
	if end.commitTS == 0 {
		return resp, nil
	}
	rest := *req
	rest.CommitVersion, rest.Keys = end.commitTS, nil
	for _, key := range req.GetKeys() {
		if s.writer.lockOf(key, req.GetStartVersion()) != nil {
			rest.Keys = append(rest.Keys, key)
		}
	}
	if len(rest.Keys) > 0 {
		return s.store.KvCommit(ctx, &rest)
	}
	return &kvrpcpb.CommitResponse{CommitVersion: end.commitTS}, nil
}
