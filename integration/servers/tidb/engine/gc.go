package main

import (
	"bytes"
	"context"
	"time"

	"github.com/pingcap/badger"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/log"
	"go.uber.org/zap"
)

// runGC follows PD's safe point: whenever it has moved, or a range was
// destroyed, and something can be freed, the database is rewritten without it.
//
// The database would drop old versions too, but only in the files that happen
// to be compacted. Tests must be able to see that data is gone, so everything
// that may go, goes.
func (n *node) runGC(ctx context.Context) {
	if n.opts.gcInterval == 0 {
		return
	}
	ticker := time.NewTicker(n.opts.gcInterval)
	defer ticker.Stop()
	var done uint64
	n.store.garbage.Store(true) // what an earlier process left
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		safePoint, err := n.store.pd.GetGCSafePoint(ctx)
		if err != nil || (safePoint <= done && !n.store.garbage.Load()) {
			continue
		}
		if err = n.store.collect(safePoint); err != nil {
			log.Error("collecting garbage failed", zap.Error(err))
			continue
		}
		done = safePoint
	}
}

// collect rewrites the database if that frees anything.
func (s *store) collect(safePoint uint64) error {
	s.garbage.Store(false)
	var found bool
	s.view(func(db *badger.DB) { found = hasGarbage(db, safePoint) })
	if !found {
		return nil
	}
	err := s.rewrite(safePoint)
	if err != nil {
		s.garbage.Store(true)
	}
	return err
}

func hasGarbage(db *badger.DB, safePoint uint64) (found bool) {
	keep := keeper{safePoint: safePoint}
	scanEntries(db, nil, nil, func(v version, deleted bool) bool {
		found = deleted || !keep.keeps(v)
		return !found
	})
	return found
}

// keeper decides what a reader at the safe point or later can still need. It is
// shown the entries in the order of a scan.
type keeper struct {
	safePoint uint64
	// settled is the key whose newest version at the safe point was seen.
	settled []byte
}

func (k *keeper) keeps(v version) bool {
	if v.kind() == kindStatus {
		return max(v.meta.StartTS(), v.meta.CommitTS()) >= k.safePoint
	}
	if v.ts > k.safePoint {
		return true
	}
	if k.settled != nil && bytes.Equal(k.settled, v.key) {
		return false
	}
	k.settled = append(k.settled[:0], v.key...)
	return !v.item.IsEmpty() // the newest version is a deletion: nothing to read
}

// KvGC does nothing: garbage is collected up to PD's safe point, which nobody
// but the owner of the cluster moves.
func (s *service) KvGC(context.Context, *kvrpcpb.GCRequest) (*kvrpcpb.GCResponse, error) {
	return new(kvrpcpb.GCResponse), nil
}
