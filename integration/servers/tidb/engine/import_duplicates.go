package main

import (
	"bytes"

	sst "github.com/pingcap/kvproto/pkg/import_sstpb"
)

// duplicatesSent is how many versions go into one message, about.
const duplicatesSent = 1024

// DuplicateDetect tells of keys that were written more than once after a time:
// every version of them, newest first.
func (i importer) DuplicateDetect(req *sst.DuplicateDetectRequest, stream sst.ImportSST_DuplicateDetectServer) error {
	i.mu.RLock()
	defer i.mu.RUnlock()
	r, fault := i.regions.admit(req.GetContext())
	if fault != nil {
		return stream.Send(&sst.DuplicateDetectResponse{RegionError: fault})
	}
	start, end := r.clip(req.GetStartKey(), req.GetEndKey())
	if emptyRange(start, end) {
		return nil
	}
	found := duplicates{after: req.GetMinCommitTs(), keyOnly: req.GetKeyOnly()}
	send := func(least int) (err error) {
		if len(found.all) >= least {
			err = stream.Send(&sst.DuplicateDetectResponse{Pairs: found.all})
			found.all = nil
		}
		return err
	}
	var failed error
	scanVersions(i.bundle.DB, start, end, func(v version) bool {
		if failed = found.add(v); failed == nil {
			failed = send(duplicatesSent)
		}
		return failed == nil
	})
	if found.endKey(); failed == nil {
		failed = send(1)
	}
	return failed
}

// duplicates gathers versions, newest first, key by key.
type duplicates struct {
	after   uint64
	keyOnly bool
	// all are those of earlier keys, of the current key are the others.
	all, current []*sst.KvPair
	key          []byte
	// over says that the older versions of the current key don't count: they are
	// too old, or were deleted since.
	over bool
}

func (d *duplicates) add(v version) error {
	if v.kind() != kindData {
		return nil
	}
	if !bytes.Equal(d.key, v.key) {
		d.endKey()
		d.key = bytes.Clone(v.key)
	}
	value, err := v.item.ValueCopy(nil)
	if err != nil {
		return err
	}
	if d.over = d.over || len(value) == 0 || v.meta.CommitTS() <= d.after; d.over {
		return nil
	}
	pair := &sst.KvPair{Key: d.key, CommitTs: v.meta.CommitTS()}
	if !d.keyOnly {
		pair.Value = value
	}
	d.current = append(d.current, pair)
	return nil
}

func (d *duplicates) endKey() {
	if len(d.current) > 1 {
		d.all = append(d.all, d.current...)
	}
	d.current, d.over = nil, false
}
