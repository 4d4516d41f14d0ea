package main

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/kverrors"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// refuseLate refuses what a request wants to write for a transaction that has
// ended, which happens when it is sent again, or arrives after a reader has
// rolled the transaction back. The library looks at the primary key only, and
// not always. Here is the place to look, since the command holds its latches.
func (w *writer) refuseLate(b *writeBatch) error {
	if err := w.refuseLateLocks(b); err != nil {
		return err
	}
	for _, key := range b.committed {
		if w.lockOf(key, b.startTS) != nil {
			continue
		}
		if err := lateError(outcomeOn(w.bundle.DB, key, b.startTS), key, b.startTS); err != nil {
			return err
		}
	}
	for _, key := range b.rolledBack {
		if o := outcomeOn(w.bundle.DB, key, b.startTS); o.commitTS > 0 {
			return kverrors.ErrAlreadyCommitted(o.commitTS)
		}
	}
	return nil
}

// refuseLateLocks lets those pass that replace a lock of the same transaction:
// on that key it has not ended. The primary key is asked too, once.
func (w *writer) refuseLateLocks(b *writeBatch) error {
	var primary []byte
	for _, c := range b.locked {
		if w.lockOf(c.key, b.startTS) != nil {
			continue
		}
		lock := mvcc.DecodeLock(c.lock)
		o := outcomeOn(w.bundle.DB, c.key, b.startTS)
		if !o.ended() && !bytes.Equal(primary, lock.Primary) {
			primary = lock.Primary
			o = outcomeOn(w.bundle.DB, primary, b.startTS)
		}
		if o.rolledBack && lock.Op == uint8(kvrpcpb.Op_PessimisticLock) {
			return kverrors.ErrAlreadyRollback
		}
		if err := lateError(o, c.key, b.startTS); err != nil {
			return err
		}
	}
	return nil
}

func lateError(o outcome, key []byte, startTS uint64) error {
	switch {
	case o.commitTS > 0:
		return kverrors.ErrAlreadyCommitted(o.commitTS)
	case o.rolledBack:
		return &kverrors.ErrConflict{
			StartTS: startTS, ConflictTS: startTS, ConflictCommitTS: startTS, Key: key,
			Reason: kvrpcpb.WriteConflict_SelfRolledBack,
		}
	}
	return nil
}
