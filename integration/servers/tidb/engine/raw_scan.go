package main

import (
	"context"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
	"github.com/pingcap/tidb/pkg/util/codec"
)

// Column families as TiKV names them. What TiKV keeps in "write" and "default"
// is one entry here: it is found in both.
const (
	familyLock    = "lock"
	familyWrite   = "write"
	familyDefault = "default"
)

// RawScan of a named column family looks at what transactions have stored, as
// TiKV's does: every version, tombstone and record, under encoded keys.
func (s *service) RawScan(ctx context.Context, req *kvrpcpb.RawScanRequest) (*kvrpcpb.RawScanResponse, error) {
	family := req.GetCf()
	if family != familyLock && family != familyWrite && family != familyDefault {
		return s.store.RawScan(ctx, req)
	}
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &kvrpcpb.RawScanResponse{RegionError: fault}, nil
	}
	if req.GetReverse() {
		return &kvrpcpb.RawScanResponse{RegionError: &errorpb.Error{Message: "stored entries aren't scanned backwards"}}, nil
	}
	start, end := r.clip(rawBound(req.GetStartKey()), rawBound(req.GetEndKey()))
	resp := new(kvrpcpb.RawScanResponse)
	found := func(key []byte) bool {
		resp.Kvs = append(resp.Kvs, &kvrpcpb.KvPair{Key: codec.EncodeBytes(nil, key)})
		return len(resp.Kvs) < int(req.GetLimit())
	}
	if emptyRange(start, end) || req.GetLimit() == 0 {
		return resp, nil
	}
	if family == familyLock {
		s.eachLock(start, end, func(key []byte, _ mvcc.Lock) bool { return found(key) })
		return resp, nil
	}
	s.eachStored(start, end, found)
	return resp, nil
}

// eachStored visits the keys in [start, end) that anything but a lock is stored
// about, once for each thing, until visit says no.
func (s *store) eachStored(start, end []byte, visit func(key []byte) bool) {
	more := true
	look := func(v version) bool {
		owner := v.owner()
		inside := string(owner) >= string(start) && string(owner) < string(end)
		if inside {
			more = visit(owner)
		}
		return more
	}
	scanVersions(s.bundle.DB, start, end, look)
	for _, records := range statusRanges(start, end) {
		if more {
			scanVersions(s.bundle.DB, records.start, records.end, look)
		}
	}
}
