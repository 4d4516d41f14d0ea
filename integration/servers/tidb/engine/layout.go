package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/pingcap/badger"
	compression "github.com/pingcap/badger/options"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// The data directory holds
//
//	CURRENT        name of the directory that holds the database
//	kv-<n>/        the database: MVCC data and transaction status records
//	locks.log      locks that are held, appended to before a client is answered
//	regions.json   cluster id, store id, regions
//	import/        files that were written and not ingested yet
const (
	currentFile = "CURRENT"
	firstKV     = "kv-1"
	locksFile   = "locks.log"
	regionsFile = "regions.json"
)

const mib = 1 << 20

// currentKV names the database directory in use, and removes the remains of a
// rewrite that didn't get as far as being named in CURRENT.
func currentKV(dataDir string) (string, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return "", err
	}
	name, err := os.ReadFile(filepath.Join(dataDir, currentFile))
	if errors.Is(err, os.ErrNotExist) {
		return firstKV, setCurrentKV(dataDir, firstKV)
	}
	if err != nil {
		return "", err
	}
	current := string(bytes.TrimSpace(name))
	found, err := filepath.Glob(filepath.Join(dataDir, "kv-*"))
	for _, dir := range found {
		if err == nil && filepath.Base(dir) != current {
			err = os.RemoveAll(dir)
		}
	}
	return current, err
}

func setCurrentKV(dataDir, name string) error {
	return replaceFile(filepath.Join(dataDir, currentFile), []byte(name+"\n"))
}

// replaceFile writes a file so that a reader, or a restart after a crash, sees
// either the old content or the new.
func replaceFile(path string, content []byte) error {
	tmp, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// openDB opens the database. Every acknowledged transaction has been handed to
// the operating system by then (one write per batch, no fsync): it survives the
// death of the process, not a power loss. Truncate lets the database start
// after a kill in the middle of such a write.
func openDB(dir string) (*badger.DB, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	o := badger.DefaultOptions
	o.Dir, o.ValueDir = dir, dir
	o.ManagedTxns = true
	o.SyncWrites = false
	o.Truncate = true
	o.ValueThreshold = 0
	o.ValueLogFileSize = 64 * mib
	o.ValueLogMaxNumFiles = 2
	o.MaxMemTableSize = 32 * mib
	o.NumMemtables = 3
	o.NumLevelZeroTables = 4
	o.NumLevelZeroTablesStall = 8
	o.NumCompactors = 1
	o.LevelOneSize = 512 * mib
	o.CompactL0WhenClose = false
	o.MaxBlockCacheSize, o.MaxIndexCacheSize = 0, 0
	o.TableBuilderOptions.CompressionPerLevel = make([]compression.CompressionType, o.TableBuilderOptions.MaxLevels)
	return badger.Open(o)
}

// openKey is written whenever the database is opened. The database notes how far
// its log has been replayed into files only from the writes of this process: one
// that replays the log and is closed without a write would start it over.
var openKey = []byte("\xffopen")

func markOpen(db *badger.DB, now uint64) error {
	entry := &badger.Entry{Key: y.KeyWithTs(openKey, now), UserMeta: mvcc.NewDBUserMeta(now, now)}
	return setEntries(db, []*badger.Entry{entry})
}
