package main

import (
	"bytes"
	"math"

	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// The database holds two kinds of entries besides each other:
//
//	data     key                                       version = commit ts
//	status   key, first byte + 1, + start ts inverted  version = start ts, no value
//
// Both carry (start ts, commit ts). A status record says that a transaction was
// rolled back on the key (commit ts 0) or only locked it (commit ts set). It is
// told from data by its key's end, which repeats the version.
const (
	kindData   = "data"
	kindStatus = "status"
)

// version is one entry of the database. Its slices are valid only while the
// scan stands on it.
type version struct {
	key  []byte
	ts   uint64
	meta mvcc.DBUserMeta
	item *badger.Item
}

func (v version) kind() string {
	if v.item.IsEmpty() && len(v.key) > 8 && mvcc.DecodeKeyTS(v.key) == v.ts {
		return kindStatus
	}
	return kindData
}

// owner is the key that the entry is about.
func (v version) owner() []byte {
	if v.kind() == kindStatus {
		return mvcc.DecodeExtraTxnStatusKey(v.key)
	}
	return v.key
}

// scanVersions visits the entries in [start, end) by key, newest version first,
// until visit says no; those that were destroyed are left out.
func scanVersions(db *badger.DB, start, end []byte, visit func(version) bool) {
	scanEntries(db, start, end, func(v version, deleted bool) bool {
		return deleted || visit(v)
	})
}

// scanEntries also visits deletion marks and what lies below them, but nothing
// that isn't the clients' (see keysEnd). A mark is
// left by the destruction of a range and covers the older versions of its key,
// which no longer exist for anybody but the rewrite that removes them.
func scanEntries(db *badger.DB, start, end []byte, visit func(v version, deleted bool) bool) {
	if len(end) == 0 {
		end = keysEnd
	}
	txn := db.NewTransaction(false)
	defer txn.Discard()
	txn.SetReadTS(math.MaxUint64)
	opts := badger.IteratorOptions{AllVersions: true}
	if len(start) > 0 {
		opts.StartKey, opts.EndKey = y.KeyWithTs(start, math.MaxUint64), y.KeyWithTs(end, math.MaxUint64)
	}
	it := txn.NewIterator(opts)
	defer it.Close()
	var marked []byte
	for it.Seek(start); it.Valid(); it.Next() {
		item := it.Item()
		if bytes.Compare(item.Key(), end) >= 0 {
			return
		}
		if item.IsDeleted() {
			marked = item.KeyCopy(marked)
		}
		deleted := len(marked) > 0 && bytes.Equal(marked, item.Key())
		if !visit(version{key: item.Key(), ts: item.Version(), meta: item.UserMeta(), item: item}, deleted) {
			return
		}
	}
}
