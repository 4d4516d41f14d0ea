package main

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/pingcap/badger"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/config"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/lockstore"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// lockMemory is the first size of the memory that holds locks; it grows.
const lockMemory = 8 * mib

// store is TiDB's single-node store on the current database, with our regions
// and our writer around it. It can be replaced while the server runs: requests
// hold the read side of mu, the replacement holds the write side.
type store struct {
	dataDir string
	regions *regions
	pd      pd.Client
	locks   *lockLog
	calls   calls

	// destroying serializes what leaves deletion marks behind.
	destroying sync.Mutex
	safeTS     safeTS
	// garbage says that a rewrite would free something.
	garbage atomic.Bool

	mu     sync.RWMutex
	name   string
	bundle *mvcc.DBBundle
	writer *writer
	*tikv.Server
}

// openStore opens the current database and gives it back its locks.
func openStore(opts options, rs *regions, client pd.Client) (*store, error) {
	name, err := currentKV(opts.dataDir)
	if err != nil {
		return nil, err
	}
	if err = clearImports(opts.dataDir); err != nil {
		return nil, err
	}
	s := &store{dataDir: opts.dataDir, regions: rs, pd: client}
	db, err := openDB(filepath.Join(opts.dataDir, name))
	if err != nil {
		return nil, err
	}
	memory := lockstore.NewMemStore(lockMemory)
	s.locks, err = openLockLog(filepath.Join(opts.dataDir, locksFile))
	if err != nil {
		return nil, err
	}
	if err = s.locks.restore(db, memory); err != nil {
		return nil, err
	}
	return s, s.use(name, db, memory)
}

// use starts the store on a database. The caller holds mu, or is alone.
func (s *store) use(name string, db *badger.DB, memory *lockstore.MemStore) error {
	physical, logical, err := s.pd.GetTS(context.Background())
	if err != nil {
		return err
	}
	now := uint64(physical)<<18 + uint64(logical)
	if err = markOpen(db, now); err != nil {
		return err
	}
	conf := config.DefaultConf
	conf.Server.StoreAddr = s.regions.store.Address
	conf.Engine.DBPath = filepath.Join(s.dataDir, name)
	s.name = name
	s.bundle = &mvcc.DBBundle{DB: db, LockStore: memory, StateTS: now}
	s.writer = &writer{bundle: s.bundle, locks: s.locks, regions: s.regions}
	kv := tikv.NewMVCCStore(&conf, s.bundle, conf.Engine.DBPath, &tikv.SafePoint{}, s.writer, idlePD{s.pd})
	kv.DeadlockDetectSvr.ChangeRole(tikv.Leader)
	kv.StartDeadlockDetection(false)
	s.Server = tikv.NewServer(s.regions, kv, tikv.NewStandAlongInnerServer(s.bundle))
	return nil
}

// view lends the database for a read.
func (s *store) view(read func(*badger.DB)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	read(s.bundle.DB)
}

// stop waits for the requests that are being served and closes the database.
func (s *store) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Server.Stop()
	s.locks.close()
}

// idlePD hides PD's safe point from the store, which would otherwise drop old
// versions at times of its own choosing: collecting garbage is the collector's
// task (see gc.go).
type idlePD struct{ pd.Client }

func (idlePD) GetGCSafePoint(context.Context) (uint64, error) { return 0, nil }
