package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/lockstore"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

var _ mvcc.DBWriter = (*writer)(nil)

// writer carries out the store's writes. It stands in for the library's own for
// two reasons, both about what a killed process leaves behind:
//
//   - The library keeps locks in memory only. Here they are logged before the
//     store applies them, and removed after it has applied what takes their
//     place, so that a lock that was acknowledged is never lost. One that should
//     be gone may come back; restoring the locks sorts that out.
//   - The library joins the writes of several commands in one transaction of the
//     database, and when the database replays its log it gives all entries of a
//     transaction the timestamps of the last one. Here the entries of a
//     transaction have the same timestamps.
type writer struct {
	bundle  *mvcc.DBBundle
	locks   *lockLog
	regions *regions
	// memory serializes writes to the locks in memory, which allow only one
	// writer beside any number of readers.
	memory sync.Mutex
}

// Open and Close have nothing to do: commands write in their own goroutines.
func (w *writer) Open()  {}
func (w *writer) Close() {}

// DeleteRange is not the way to delete here, see destroyRange.
func (w *writer) DeleteRange(_, _ []byte, _ mvcc.LatchHandle) error {
	return errors.ErrUnsupported
}

// NewWriteBatch collects the writes of one command.
func (w *writer) NewWriteBatch(startTS, commitTS uint64, ctx *kvrpcpb.Context) mvcc.WriteBatch {
	return &writeBatch{startTS: startTS, commitTS: commitTS, region: w.regions.get(ctx.GetRegionId())}
}

// Write applies a batch: new locks to the log, entries to the database, locks to
// memory, and last the removed locks to the log. Batches of a transaction that
// has ended are refused.
func (w *writer) Write(batch mvcc.WriteBatch) error {
	b := batch.(*writeBatch)
	for _, c := range b.locked {
		if size := len(c.key) + len(c.lock); size > w.bundle.LockStore.MaxEntrySize() {
			return fmt.Errorf("a lock of %d bytes is too large for the engine", size)
		}
	}
	if err := w.refuseLate(b); err != nil {
		return err
	}
	if err := w.locks.append(b.locked); err != nil {
		return err
	}
	if len(b.entries) > 0 {
		if err := setEntries(w.bundle.DB, b.entries); err != nil {
			return err
		}
	}
	w.applyLocks(b.locked, b.unlocked)
	if b.region != nil && b.bytes > 0 && b.region.size.Load() >= 0 {
		b.region.size.Add(b.bytes)
	}
	return w.locks.append(b.unlocked)
}

func (w *writer) applyLocks(locked, unlocked []lockChange) {
	w.memory.Lock()
	defer w.memory.Unlock()
	hint := new(lockstore.Hint)
	for _, c := range locked {
		w.bundle.LockStore.PutWithHint(c.key, c.lock, hint)
	}
	for _, c := range unlocked {
		w.bundle.LockStore.DeleteWithHint(c.key, hint)
	}
}

// setEntries writes entries of different keys in one transaction.
func setEntries(db *badger.DB, entries []*badger.Entry) error {
	return db.Update(func(txn *badger.Txn) error {
		for _, entry := range entries {
			if err := txn.SetEntry(entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeBatch is what one command writes: either locks, or commits of one
// transaction, or its rollbacks.
type writeBatch struct {
	startTS, commitTS uint64
	region            *region
	bytes             int64
	entries           []*badger.Entry
	locked            []lockChange
	unlocked          []lockChange
	// committed and rolledBack are the keys on which the transaction ends.
	committed, rolledBack [][]byte
}

func (b *writeBatch) lock(key []byte, lock *mvcc.Lock) {
	b.locked = append(b.locked, lockChange{key: key, lock: lock.MarshalBinary()})
}

func (b *writeBatch) unlock(key []byte) {
	b.unlocked = append(b.unlocked, lockChange{key: key})
}

// Prewrite locks a key with the value to be.
func (b *writeBatch) Prewrite(key []byte, lock *mvcc.Lock) { b.lock(key, lock) }

// PessimisticLock locks a key before its value is known.
func (b *writeBatch) PessimisticLock(key []byte, lock *mvcc.Lock) { b.lock(key, lock) }

// PessimisticRollback unlocks a key; the transaction may go on.
func (b *writeBatch) PessimisticRollback(key []byte) { b.unlock(key) }

// Commit turns a lock into what it announced. A key that was only locked keeps
// nothing, but where others look for the end of the transaction it is recorded:
// on the primary key and, if it commits asynchronously, on all.
func (b *writeBatch) Commit(key []byte, lock *mvcc.Lock) {
	b.unlock(key)
	b.committed = append(b.committed, key)
	switch kvrpcpb.Op(lock.Op) {
	case kvrpcpb.Op_PessimisticLock:
	case kvrpcpb.Op_Lock:
		if lock.UseAsyncCommit || bytes.Equal(key, lock.Primary) {
			b.record(key, b.commitTS)
		}
	default:
		b.bytes += int64(len(key) + len(lock.Value))
		b.entries = append(b.entries, &badger.Entry{
			Key: y.KeyWithTs(key, b.commitTS), Value: lock.Value, UserMeta: mvcc.NewDBUserMeta(b.startTS, b.commitTS),
		})
	}
}

// Rollback records that the transaction is rolled back on a key.
func (b *writeBatch) Rollback(key []byte, deleteLock bool) {
	b.rolledBack = append(b.rolledBack, key)
	b.record(key, 0)
	if deleteLock {
		b.unlock(key)
	}
}

func (b *writeBatch) record(key []byte, commitTS uint64) {
	b.entries = append(b.entries, &badger.Entry{
		Key:      y.KeyWithTs(mvcc.EncodeExtraTxnStatusKey(key, b.startTS), b.startTS),
		UserMeta: mvcc.NewDBUserMeta(b.startTS, commitTS),
	})
}
