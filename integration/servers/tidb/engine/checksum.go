package main

import (
	"bytes"
	"fmt"
	"hash/crc64"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/dbreader"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
	"github.com/pingcap/tipb/go-tipb"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// checksum answers a coprocessor request for the checksum of ranges, as TiKV
// does: the XOR of the CRC-64 of every visible pair, and their number and size.
//
// With a rule, keys must begin with its new prefix and are counted as if they
// began with the old one; the checksum of a restored table, or of a tenant's
// decorated keys, then equals that of the original.
func (s *service) checksum(req *coprocessor.Request) *coprocessor.Response {
	r, fault := s.regions.admit(req.GetContext())
	if fault != nil {
		return &coprocessor.Response{RegionError: fault}
	}
	asked := new(tipb.ChecksumRequest)
	if err := asked.Unmarshal(req.GetData()); err != nil {
		return &coprocessor.Response{OtherError: err.Error()}
	}
	if algorithm := asked.GetAlgorithm(); algorithm != tipb.ChecksumAlgorithm_Crc64_Xor {
		return &coprocessor.Response{OtherError: "unknown checksum algorithm " + algorithm.String()}
	}
	if locked := s.blockingLock(req); locked != nil {
		return &coprocessor.Response{Locked: locked}
	}
	sum := newSummer(asked.GetRule())
	for _, asked := range req.GetRanges() {
		start, end := r.clip(asked.GetStart(), asked.GetEnd())
		if emptyRange(start, end) {
			continue
		}
		if err := s.sumRange(sum, start, end, req.GetStartTs()); err != nil {
			return &coprocessor.Response{OtherError: err.Error()}
		}
	}
	data, err := sum.resp.Marshal()
	if err != nil {
		return &coprocessor.Response{OtherError: err.Error()}
	}
	return &coprocessor.Response{Data: data}
}

// blockingLock is a lock in the ranges that a reader of this time has to wait for.
func (s *service) blockingLock(req *coprocessor.Request) (locked *kvrpcpb.LockInfo) {
	resolved := make(map[uint64]bool)
	for _, ts := range req.GetContext().GetResolvedLocks() {
		resolved[ts] = true
	}
	for _, asked := range req.GetRanges() {
		s.eachLock(asked.GetStart(), asked.GetEnd(), func(key []byte, lock mvcc.Lock) bool {
			writes := lock.Op == byte(kvrpcpb.Op_Put) || lock.Op == byte(kvrpcpb.Op_Del)
			if writes && lock.StartTS <= req.GetStartTs() && !resolved[lock.StartTS] {
				locked = lock.ToLockInfo(key)
			}
			return locked == nil
		})
		if locked != nil {
			break
		}
	}
	return locked
}

func (s *service) sumRange(sum *summer, start, end []byte, ts uint64) error {
	reader := dbreader.NewDBReader(start, end, s.bundle.DB.NewTransaction(false))
	defer reader.Close()
	return reader.Scan(start, end, int(^uint(0)>>1), ts, sum)
}

// summer adds up the pairs that a scan passes to it.
type summer struct {
	oldPrefix, newPrefix []byte
	resp                 tipb.ChecksumResponse
}

func newSummer(rule *tipb.ChecksumRewriteRule) *summer {
	return &summer{oldPrefix: rule.GetOldPrefix(), newPrefix: rule.GetNewPrefix()}
}

// SkipValue says that values are wanted.
func (s *summer) SkipValue() bool { return false }

// Process takes the next pair of the scan.
func (s *summer) Process(key, value []byte) error {
	rest, ok := bytes.CutPrefix(key, s.newPrefix)
	if !ok {
		return fmt.Errorf("a key doesn't begin with the rule's new prefix")
	}
	crc := crc64.Update(0, crcTable, s.oldPrefix)
	crc = crc64.Update(crc, crcTable, rest)
	crc = crc64.Update(crc, crcTable, value)
	s.resp.Checksum ^= crc
	s.resp.TotalKvs++
	s.resp.TotalBytes += uint64(len(s.oldPrefix) + len(rest) + len(value))
	return nil
}
