package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/log"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// rewriteBatch is how many bytes are copied in one go.
const rewriteBatch = 4 * mib

// rewrite copies what is alive at the safe point into a new database and goes
// on with that. Requests wait for it; test data takes about a second for each
// 100 MB. A process that dies halfway starts again with the old database.
func (s *store) rewrite(safePoint uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	var number int
	if _, err := fmt.Sscanf(s.name, "kv-%d", &number); err != nil {
		return err
	}
	name := fmt.Sprintf("kv-%d", number+1)
	dir := filepath.Join(s.dataDir, name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	db, err := openDB(dir)
	if err != nil {
		return err
	}
	kept, dropped, err := copyAlive(s.bundle.DB, db, safePoint)
	if err == nil {
		err = setCurrentKV(s.dataDir, name)
	}
	if err != nil {
		db.Close()
		return err
	}
	old, oldServer := s.name, s.Server
	if err = s.use(name, db, s.bundle.LockStore); err != nil {
		log.Fatal("the rewritten database can't be used", zap.Error(err))
	}
	oldServer.Stop()
	for _, r := range s.regions.all() {
		r.size.Store(-1)
	}
	log.Info("database is rewritten", zap.Uint64("safe point", safePoint), zap.Int("kept", kept),
		zap.Int("dropped", dropped), zap.Duration("pause", time.Since(began)))
	return os.RemoveAll(filepath.Join(s.dataDir, old))
}

// copyAlive copies the entries that are kept, and counts.
func copyAlive(from, to *badger.DB, safePoint uint64) (kept, dropped int, err error) {
	keep := keeper{safePoint: safePoint}
	c := copier{to: to}
	scanEntries(from, nil, nil, func(v version, deleted bool) bool {
		if deleted || !keep.keeps(v) {
			dropped++
			return true
		}
		kept++
		err = c.add(v)
		return err == nil
	})
	if err == nil {
		err = c.flush()
	}
	return kept, dropped, err
}

// copier writes entries in batches. The database takes one version of a key in
// a transaction and wants older versions before newer ones, while a scan yields
// the newest first: round i of a batch has the versions that i others of the
// batch follow, and the last round is written first.
//
// Within a round, entries of the same timestamps make a transaction (see writer
// for why), and transactions are written side by side.
type copier struct {
	to     *badger.DB
	rounds []map[stamps][]*badger.Entry
	bytes  int
	last   []byte
	depth  int
}

// stamps are the start and the commit timestamp of an entry, encoded.
type stamps string

// copyWriters is how many transactions are written at the same time.
const copyWriters = 64

func (c *copier) add(v version) error {
	value, err := v.item.ValueCopy(nil)
	if err != nil {
		return err
	}
	key := v.item.KeyCopy(nil)
	if bytes.Equal(key, c.last) {
		c.depth++
	} else {
		if c.bytes > rewriteBatch {
			if err = c.flush(); err != nil {
				return err
			}
		}
		c.last, c.depth = key, 0
	}
	if c.depth == len(c.rounds) {
		c.rounds = append(c.rounds, make(map[stamps][]*badger.Entry))
	}
	s := stamps(v.meta)
	c.rounds[c.depth][s] = append(c.rounds[c.depth][s], &badger.Entry{
		Key: y.KeyWithTs(key, v.ts), Value: value, UserMeta: []byte(s),
	})
	c.bytes += len(key) + len(value)
	return nil
}

func (c *copier) flush() error {
	for i := len(c.rounds) - 1; i >= 0; i-- {
		var round errgroup.Group
		round.SetLimit(copyWriters)
		for _, entries := range c.rounds[i] {
			round.Go(func() error { return setEntries(c.to, entries) })
		}
		if err := round.Wait(); err != nil {
			return err
		}
	}
	c.rounds, c.bytes = nil, 0
	return nil
}
