package main

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// clip cuts a range of raw keys to the region; an empty end is unbounded.
func (r *region) clip(start, end []byte) ([]byte, []byte) {
	if bytes.Compare(start, r.rawStart) < 0 {
		start = r.rawStart
	}
	if len(end) == 0 || bytes.Compare(end, r.rawEnd) > 0 {
		end = r.rawEnd
	}
	return start, end
}

func emptyRange(start, end []byte) bool {
	return len(end) > 0 && bytes.Compare(start, end) >= 0
}

// eachLock visits the locks in [start, end) until visit says no.
func (s *store) eachLock(start, end []byte, visit func(key []byte, lock mvcc.Lock) bool) {
	it := s.bundle.LockStore.NewIterator()
	for it.Seek(start); it.Valid(); it.Next() {
		if len(end) > 0 && bytes.Compare(it.Key(), end) >= 0 {
			return
		}
		if !visit(bytes.Clone(it.Key()), mvcc.DecodeLock(it.Value())) {
			return
		}
	}
}

// scanLocks lists locks in [start, end) that are not younger than maxTS; a
// limit of 0 is none.
func (s *store) scanLocks(start, end []byte, maxTS uint64, limit int) []*kvrpcpb.LockInfo {
	var found []*kvrpcpb.LockInfo
	s.eachLock(start, end, func(key []byte, lock mvcc.Lock) bool {
		if lock.StartTS <= maxTS {
			found = append(found, lock.ToLockInfo(key))
		}
		return limit == 0 || len(found) < limit
	})
	return found
}

// safeTS follows PD's time at a distance of one round, which is more than a
// commit that has its timestamp already needs to be applied, and stops short of
// the oldest lock.
type safeTS struct{ now atomic.Uint64 }

const safeTSRound = time.Second

func (s *store) runSafeTS(ctx context.Context) {
	ticker := time.NewTicker(safeTSRound)
	defer ticker.Stop()
	var candidate uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		physical, logical, err := s.pd.GetTS(ctx)
		if err != nil {
			continue
		}
		if safe := s.beforeLocks(candidate); safe > s.safeTS.now.Load() {
			s.safeTS.now.Store(safe)
		}
		candidate = uint64(physical)<<18 + uint64(logical)
	}
}

func (s *store) beforeLocks(ts uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.eachLock(nil, nil, func(_ []byte, lock mvcc.Lock) bool {
		ts = min(ts, lock.StartTS-1)
		return true
	})
	return ts
}
