package main

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// writer passes the store's writes on, and besides makes locks durable, which
// the store keeps in memory only, and counts bytes into regions.
//
// Locks are written before the store applies them and removed after it has
// applied what takes their place, so a lock that was acknowledged is never
// lost. One that should be gone may come back after a crash; restoring the
// locks sorts that out.
type writer struct {
	mvcc.DBWriter
	locks   *lockLog
	regions *regions
}

// NewWriteBatch collects the writes of one command.
func (w *writer) NewWriteBatch(startTS, commitTS uint64, ctx *kvrpcpb.Context) mvcc.WriteBatch {
	return &writeBatch{
		WriteBatch: w.DBWriter.NewWriteBatch(startTS, commitTS, ctx),
		region:     w.regions.get(ctx.GetRegionId()),
	}
}

// Write applies a batch that NewWriteBatch made.
func (w *writer) Write(batch mvcc.WriteBatch) error {
	b := batch.(*writeBatch)
	if err := w.locks.append(b.locked); err != nil {
		return err
	}
	if err := w.DBWriter.Write(b.WriteBatch); err != nil {
		return err
	}
	if b.region != nil && b.bytes > 0 && b.region.size.Load() >= 0 {
		b.region.size.Add(b.bytes)
	}
	return w.locks.append(b.unlocked)
}

type writeBatch struct {
	mvcc.WriteBatch
	region   *region
	bytes    int64
	locked   []lockChange
	unlocked []lockChange
}

func (b *writeBatch) lock(key []byte, lock *mvcc.Lock) {
	b.locked = append(b.locked, lockChange{key: key, lock: lock.MarshalBinary()})
}

func (b *writeBatch) unlock(key []byte) {
	b.unlocked = append(b.unlocked, lockChange{key: key})
}

func (b *writeBatch) Prewrite(key []byte, lock *mvcc.Lock) {
	b.lock(key, lock)
	b.WriteBatch.Prewrite(key, lock)
}

func (b *writeBatch) PessimisticLock(key []byte, lock *mvcc.Lock) {
	b.lock(key, lock)
	b.WriteBatch.PessimisticLock(key, lock)
}

func (b *writeBatch) Commit(key []byte, lock *mvcc.Lock) {
	b.bytes += int64(len(key) + len(lock.Value))
	b.unlock(key)
	b.WriteBatch.Commit(key, lock)
}

func (b *writeBatch) Rollback(key []byte, deleteLock bool) {
	if deleteLock {
		b.unlock(key)
	}
	b.WriteBatch.Rollback(key, deleteLock)
}

func (b *writeBatch) PessimisticRollback(key []byte) {
	b.unlock(key)
	b.WriteBatch.PessimisticRollback(key)
}
