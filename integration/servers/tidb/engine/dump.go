package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"path/filepath"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/lockstore"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// A dump has a line for everything the engine stores, sorted by key, with
// fields divided by a blank; absent fields are "-":
//
//	kind  key (hex)  value (hex, or # and its CRC-64)  start ts  commit ts  detail
//
// kind     data          newest version of a key; detail is put or delete
// kind     old-version   an older version of it
// kind     lock          a held lock; value is what it will write, detail its type
// kind     status        a record of a transaction; detail is rollback or lock;
// .                      the key is the stored one, first byte plus one, and
// .                      "of=" names the key that it is about
type dumpOptions struct {
	start, end []byte
	values     bool
}

func dump(out io.Writer, bundle *mvcc.DBBundle, opts dumpOptions) error {
	w := bufio.NewWriterSize(out, mib)
	locks := bundle.LockStore.NewIterator()
	locks.Seek(opts.start)
	locksBefore := func(key []byte) {
		for ; locks.Valid() && (key == nil || bytes.Compare(locks.Key(), key) <= 0); locks.Next() {
			if len(opts.end) > 0 && bytes.Compare(locks.Key(), opts.end) >= 0 {
				return
			}
			writeLock(w, locks, opts)
		}
	}
	var last []byte
	var failed error
	scanVersions(bundle.DB, opts.start, opts.end, func(v version) bool {
		locksBefore(v.key)
		value, err := v.item.Value()
		if err != nil {
			failed = err
			return false
		}
		writeVersion(w, v, value, bytes.Equal(last, v.key), opts)
		last = append(last[:0], v.key...)
		return true
	})
	locksBefore(nil)
	if failed != nil {
		return failed
	}
	return w.Flush()
}

func writeVersion(w io.Writer, v version, value []byte, old bool, opts dumpOptions) {
	kind, detail := v.kind(), "put"
	switch {
	case kind == kindStatus && v.meta.CommitTS() == 0:
		detail = "rollback of=" + hex.EncodeToString(v.owner())
	case kind == kindStatus:
		detail = "lock of=" + hex.EncodeToString(v.owner())
	case len(value) == 0:
		detail = "delete"
	}
	if kind == kindData && old {
		kind = "old-version"
	}
	fmt.Fprintf(w, "%s %x %s %d %d %s\n", kind, v.key, opts.value(value), v.meta.StartTS(), v.meta.CommitTS(), detail)
}

func writeLock(w io.Writer, it *lockstore.Iterator, opts dumpOptions) {
	lock := mvcc.DecodeLock(it.Value())
	fmt.Fprintf(w, "lock %x %s %d - %s primary=%x\n",
		it.Key(), opts.value(lock.Value), lock.StartTS, kvrpcpb.Op(lock.Op), lock.Primary)
}

func (o dumpOptions) value(value []byte) string {
	switch {
	case len(value) == 0:
		return "-"
	case o.values:
		return hex.EncodeToString(value)
	default:
		return fmt.Sprintf("#%016x", crc64.Checksum(value, crcTable))
	}
}

// dumpOffline dumps the data directory of an engine that isn't running.
func dumpOffline(opts options, out io.Writer) error {
	if err := startLog(opts.logFile); err != nil {
		return err
	}
	name, err := currentKV(opts.dataDir)
	if err != nil {
		return err
	}
	db, err := openDB(filepath.Join(opts.dataDir, name))
	if err != nil {
		return err
	}
	defer db.Close()
	locks, err := openLockLog(filepath.Join(opts.dataDir, locksFile))
	if err != nil {
		return err
	}
	defer locks.close()
	memory := lockstore.NewMemStore(lockMemory)
	if err = locks.restore(db, memory); err != nil {
		return err
	}
	return dump(out, &mvcc.DBBundle{DB: db, LockStore: memory}, dumpOptions{values: opts.dumpValues})
}
