package main

import (
	"bytes"

	"github.com/dgryski/go-farm"
	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// destroyBatch is how many keys are marked in one write.
const destroyBatch = 1024

// destroyRange removes everything about the keys in [start, end): all versions,
// locks, and status records; and nothing about other keys, although status
// records of one key lie between the data of others. An empty end is unbounded.
//
// Versions are covered by a deletion mark just above the newest: from then on
// every scan of versions, the dump included, finds nothing. The bytes leave the
// disk with the next rewrite, which this asks for.
func (s *store) destroyRange(start, end []byte) error {
	s.destroying.Lock()
	defer s.destroying.Unlock()
	if len(end) == 0 || bytes.Compare(end, keysEnd) > 0 {
		end = keysEnd
	}
	if emptyRange(start, end) {
		return nil
	}
	if err := s.destroyLocks(start, end); err != nil {
		return err
	}
	if err := s.mark(start, end, start, end); err != nil {
		return err
	}
	for _, scan := range statusRanges(start, end) {
		if err := s.mark(scan.start, scan.end, start, end); err != nil {
			return err
		}
	}
	s.garbage.Store(true)
	return nil
}

func (s *store) destroyLocks(start, end []byte) error {
	var gone []lockChange
	s.eachLock(start, end, func(key []byte, _ mvcc.Lock) bool {
		gone = append(gone, lockChange{key: key})
		return true
	})
	for _, lock := range gone {
		latch := []uint64{farm.Fingerprint64(lock.key)}
		s.regions.latches.acquire(latch)
		s.writer.applyLocks(nil, []lockChange{lock})
		s.regions.latches.release(latch)
	}
	return s.locks.append(gone)
}

type keyRange struct{ start, end []byte }

// statusRanges are the ranges that hold the status records of the keys in
// [start, end). A record is the key with its first byte plus one, followed by a
// timestamp: besides the range itself, moved, records of the keys that are a
// prefix of end may lie behind it.
func statusRanges(start, end []byte) []keyRange {
	moved := func(key []byte) []byte {
		key = bytes.Clone(key)
		if len(key) > 0 {
			key[0]++
		}
		return key
	}
	ranges := []keyRange{{moved(start), moved(end)}}
	for n := 1; n < len(end); n++ {
		if prefix := end[:n]; bytes.Compare(prefix, start) >= 0 {
			last := append(moved(prefix), bytes.Repeat([]byte{0xff}, 8)...)
			ranges = append(ranges, keyRange{moved(end), append(last, 0)})
		}
	}
	return ranges
}

// mark covers the entries in a scan's range that belong to keys in [start, end).
func (s *store) mark(scanStart, scanEnd, start, end []byte) error {
	var batch []y.Key
	var last []byte
	scanVersions(s.bundle.DB, scanStart, scanEnd, func(v version) bool {
		owner := v.owner()
		if bytes.Equal(last, v.key) || bytes.Compare(owner, start) < 0 || bytes.Compare(owner, end) >= 0 {
			return true
		}
		last = bytes.Clone(v.key)
		batch = append(batch, y.KeyWithTs(last, v.ts+1))
		return true
	})
	for len(batch) > 0 {
		n := min(len(batch), destroyBatch)
		if err := s.writeMarks(batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

func (s *store) writeMarks(keys []y.Key) error {
	marks := make([]*badger.Entry, len(keys))
	for i, key := range keys {
		marks[i] = &badger.Entry{Key: key}
		marks[i].SetDelete()
	}
	return setEntries(s.bundle.DB, marks)
}
