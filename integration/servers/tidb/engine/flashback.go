package main

import (
	"bytes"
	"context"
	"errors"

	"github.com/dgryski/go-farm"
	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/kverrors"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// KvPrepareFlashbackToVersion ends the transactions that hold locks in the
// range. TiKV also refuses other requests to the region from here on; on this
// engine it is up to TiDB alone to keep its sessions away.
func (s *service) KvPrepareFlashbackToVersion(_ context.Context, req *kvrpcpb.PrepareFlashbackToVersionRequest) (*kvrpcpb.PrepareFlashbackToVersionResponse, error) {
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &kvrpcpb.PrepareFlashbackToVersionResponse{RegionError: fault}, nil
	}
	resp := new(kvrpcpb.PrepareFlashbackToVersionResponse)
	start, end := r.clip(req.GetStartKey(), req.GetEndKey())
	if err := s.rollBackLocks(start, end); err != nil {
		resp.Error = err.Error()
	}
	return resp, nil
}

// KvFlashbackToVersion writes, for every key that has changed since, what it
// was at the version.
func (s *service) KvFlashbackToVersion(_ context.Context, req *kvrpcpb.FlashbackToVersionRequest) (*kvrpcpb.FlashbackToVersionResponse, error) {
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &kvrpcpb.FlashbackToVersionResponse{RegionError: fault}, nil
	}
	resp := new(kvrpcpb.FlashbackToVersionResponse)
	start, end := r.clip(req.GetStartKey(), req.GetEndKey())
	err := s.rollBackLocks(start, end)
	if err == nil {
		err = s.restoreVersions(start, end, req)
	}
	if err != nil {
		resp.Error = err.Error()
	}
	return resp, nil
}

func (s *service) rollBackLocks(start, end []byte) error {
	type held struct {
		key     []byte
		startTS uint64
	}
	var locks []held
	s.eachLock(start, end, func(key []byte, lock mvcc.Lock) bool {
		locks = append(locks, held{key, lock.StartTS})
		return true
	})
	for _, lock := range locks {
		latch := []uint64{farm.Fingerprint64(lock.key)}
		s.regions.latches.acquire(latch)
		batch := s.writer.NewWriteBatch(lock.startTS, 0, nil)
		batch.Rollback(lock.key, true)
		err := s.writer.Write(batch)
		s.regions.latches.release(latch)
		var committed kverrors.ErrAlreadyCommitted
		if err != nil && !errors.As(err, &committed) {
			return err
		}
	}
	return nil
}

// restoreVersions may run twice for the same range: what it wrote itself is not
// a change.
func (s *service) restoreVersions(start, end []byte, req *kvrpcpb.FlashbackToVersionRequest) error {
	meta := mvcc.NewDBUserMeta(req.GetStartTs(), req.GetCommitTs())
	var batch []*badger.Entry
	var pending *badger.Entry
	var last []byte
	var failed error
	settle := func() {
		if pending != nil {
			batch, pending = append(batch, pending), nil
		}
	}
	scanVersions(s.bundle.DB, start, end, func(v version) bool {
		if v.kind() != kindData {
			return true
		}
		if !bytes.Equal(last, v.key) {
			settle()
			last = bytes.Clone(v.key)
			if v.ts > req.GetVersion() && v.ts < req.GetCommitTs() {
				pending = &badger.Entry{Key: y.KeyWithTs(last, req.GetCommitTs()), UserMeta: meta}
			}
		}
		if pending != nil && v.ts <= req.GetVersion() {
			pending.Value, failed = v.item.ValueCopy(nil)
			settle()
		}
		return failed == nil
	})
	settle()
	for failed == nil && len(batch) > 0 {
		n := min(len(batch), destroyBatch)
		failed = setEntries(s.bundle.DB, batch[:n])
		batch = batch[n:]
	}
	return failed
}
