package main

import (
	"bytes"
	"sync/atomic"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv"
	"github.com/pingcap/tidb/pkg/util/codec"
)

// keysEnd is where the key space of clients ends for the store: it keeps the
// status of a transaction at the key with its first byte plus one, so the last
// byte that a client's key may begin with is one less.
var keysEnd = []byte{0xfe}

var _ tikv.RegionCtx = (*region)(nil)

// region is one version of one region. It never changes: a split replaces it,
// and a request that began before works on with the version that it was
// admitted to. Only the estimate of the size moves.
type region struct {
	meta     *metapb.Region
	rawStart []byte
	rawEnd   []byte
	latches  *latches

	// size estimates the bytes stored; negative until counted once.
	size atomic.Int64
	// unused is what the store counts writes into. It leaves out the
	// one-phase commits, so the writer counts them itself, into size.
	unused int64
}

func newRegion(meta *metapb.Region, l *latches) *region {
	r := &region{meta: meta, latches: l, rawStart: rawBound(meta.StartKey), rawEnd: rawBound(meta.EndKey)}
	if len(r.rawEnd) == 0 {
		r.rawEnd = keysEnd
	}
	r.size.Store(-1)
	return r
}

// rawBound undoes the encoding of a region's bound. A bound that isn't encoded
// was made by a split for raw keys and stands for itself.
func rawBound(bound []byte) []byte {
	if len(bound) == 0 {
		return nil
	}
	if rest, raw, err := codec.DecodeBytes(bound, nil); err == nil && len(rest) == 0 {
		return raw
	}
	return bound
}

func (r *region) Meta() *metapb.Region           { return r.meta }
func (r *region) Diff() *int64                   { return &r.unused }
func (r *region) RawStart() []byte               { return r.rawStart }
func (r *region) RawEnd() []byte                 { return r.rawEnd }
func (r *region) AcquireLatches(hashes []uint64) { r.latches.acquire(hashes) }
func (r *region) ReleaseLatches(hashes []uint64) { r.latches.release(hashes) }

// holds says whether an encoded key lies in the region.
func (r *region) holds(encoded []byte) bool {
	return bytes.Compare(encoded, r.meta.StartKey) >= 0 &&
		(len(r.meta.EndKey) == 0 || bytes.Compare(encoded, r.meta.EndKey) < 0)
}
