package main

import (
	"math"

	"github.com/pingcap/badger"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// outcome is how a transaction ended, as far as a key tells. The zero value says
// that the key knows of no end: the transaction lives, or never wrote here.
type outcome struct {
	commitTS   uint64
	rolledBack bool
}

func (o outcome) ended() bool { return o.commitTS > 0 || o.rolledBack }

// outcomeOn reads what a transaction left on a key: a version, or a record of
// its status. Only versions younger than its start can be its own.
func outcomeOn(db *badger.DB, key []byte, startTS uint64) outcome {
	if len(key) == 0 {
		return outcome{}
	}
	txn := db.NewTransaction(false)
	defer txn.Discard()
	for readTS := uint64(math.MaxUint64); ; {
		txn.SetReadTS(readTS)
		item, err := txn.Get(key)
		if err != nil || item.Version() <= startTS {
			break
		}
		if meta := mvcc.DBUserMeta(item.UserMeta()); meta.StartTS() == startTS {
			return outcome{commitTS: meta.CommitTS()}
		}
		readTS = item.Version() - 1
	}
	txn.SetReadTS(math.MaxUint64)
	item, err := txn.Get(mvcc.EncodeExtraTxnStatusKey(key, startTS))
	if err != nil {
		return outcome{}
	}
	commitTS := mvcc.DBUserMeta(item.UserMeta()).CommitTS()
	return outcome{commitTS: commitTS, rolledBack: commitTS == 0}
}

// outcomeOnAny asks the keys in turn until one knows. A commit on any key is
// the commit of the transaction.
func (s *store) outcomeOnAny(startTS uint64, keys ...[]byte) outcome {
	for _, key := range keys {
		if o := outcomeOn(s.bundle.DB, key, startTS); o.ended() {
			return o
		}
	}
	return outcome{}
}

// lockOf returns the lock that a transaction holds on a key, or nil.
func (w *writer) lockOf(key []byte, startTS uint64) *mvcc.Lock {
	encoded := w.bundle.LockStore.Get(key, nil)
	if len(encoded) == 0 {
		return nil
	}
	if lock := mvcc.DecodeLock(encoded); lock.StartTS == startTS {
		return &lock
	}
	return nil
}
