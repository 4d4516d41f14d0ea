package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/log"
	"github.com/pingcap/tidb/pkg/util/codec"
	"go.uber.org/zap"
)

// SplitRegion cuts a region at the request's keys and answers with the parts
// from left to right, as TiKV does.
func (rs *regions) SplitRegion(req *kvrpcpb.SplitRegionRequest) *kvrpcpb.SplitRegionResponse {
	parts, fault := rs.split(req.GetContext(), splitKeys(req))
	if fault != nil {
		return &kvrpcpb.SplitRegionResponse{RegionError: fault}
	}
	resp := &kvrpcpb.SplitRegionResponse{Regions: parts}
	if len(parts) == 2 {
		resp.Left, resp.Right = parts[0], parts[1]
	}
	return resp
}

// splitKeys returns the request's keys as region bounds.
func splitKeys(req *kvrpcpb.SplitRegionRequest) [][]byte {
	keys := req.GetSplitKeys()
	if len(req.GetSplitKey()) > 0 { //nolint:staticcheck // old clients send the single key
		keys = [][]byte{req.GetSplitKey()} //nolint:staticcheck // as above
	}
	bounds := make([][]byte, 0, len(keys))
	for _, key := range keys {
		if !req.GetIsRawKv() {
			key = codec.EncodeBytes(nil, key)
		}
		bounds = append(bounds, key)
	}
	return bounds
}

// split cuts a region at bounds. Bounds that are repeated or are the region's
// start already are skipped; a bound outside of the region fails the request,
// and so does a request of which nothing is left.
func (rs *regions) split(ctx *kvrpcpb.Context, bounds [][]byte) ([]*metapb.Region, *errorpb.Error) {
	rs.splitting.Lock()
	defer rs.splitting.Unlock()
	r, fault := rs.admit(ctx)
	if fault != nil {
		return nil, fault
	}
	slices.SortFunc(bounds, bytes.Compare)
	for _, bound := range bounds {
		if !r.holds(bound) {
			return nil, keyNotInRegion(r, bound)
		}
	}
	bounds = slices.CompactFunc(bounds, bytes.Equal)
	bounds = slices.DeleteFunc(bounds, func(b []byte) bool { return len(b) == 0 || bytes.Equal(b, r.meta.StartKey) })
	if len(bounds) == 0 {
		return nil, &errorpb.Error{Message: "no valid key found for split."}
	}
	parts, err := rs.cut(r, bounds)
	if err != nil {
		return nil, &errorpb.Error{Message: err.Error()}
	}
	return parts, nil
}

// cut replaces a region by its parts. The rightmost part keeps the id; every
// part gets the old version plus the number of cuts.
func (rs *regions) cut(r *region, bounds [][]byte) ([]*metapb.Region, error) {
	ids, err := rs.newIDs(r.meta, len(bounds))
	if err != nil {
		return nil, err
	}
	parts := cutMeta(r.meta, bounds, ids)
	size := r.size.Load()
	added := rs.set(parts, r)
	for _, part := range added {
		if size >= 0 {
			part.size.Store(size / int64(len(parts)))
		}
	}
	if err = rs.save(); err != nil {
		return nil, err
	}
	for _, part := range parts {
		rs.report.now(part.Id)
	}
	log.Info("region is split", zap.Uint64("region", r.meta.Id), zap.Int("parts", len(parts)))
	return parts, nil
}

type splitID struct{ region, peer uint64 }

func cutMeta(old *metapb.Region, bounds [][]byte, ids []splitID) []*metapb.Region {
	epoch := &metapb.RegionEpoch{
		ConfVer: old.GetRegionEpoch().GetConfVer(),
		Version: old.GetRegionEpoch().GetVersion() + uint64(len(bounds)),
	}
	store := old.Peers[0].StoreId
	start := old.StartKey
	parts := make([]*metapb.Region, 0, len(bounds)+1)
	for i, bound := range bounds {
		parts = append(parts, &metapb.Region{
			Id: ids[i].region, StartKey: start, EndKey: bound, RegionEpoch: epoch,
			Peers: []*metapb.Peer{{Id: ids[i].peer, StoreId: store}},
		})
		start = bound
	}
	return append(parts, &metapb.Region{
		Id: old.Id, StartKey: start, EndKey: old.EndKey, RegionEpoch: epoch, Peers: old.Peers,
	})
}

// newIDs asks PD for the ids of a split, so that PD knows of it and doesn't
// merge the parts again at once.
func (rs *regions) newIDs(meta *metapb.Region, n int) ([]splitID, error) {
	ctx := context.Background()
	resp, err := rs.pd.AskBatchSplit(ctx, meta, n)
	if err == nil && len(resp.GetIds()) == n {
		ids := make([]splitID, 0, n)
		for _, id := range resp.GetIds() {
			if len(id.GetNewPeerIds()) == 0 {
				return nil, fmt.Errorf("PD gave no peer id for a split")
			}
			ids = append(ids, splitID{region: id.GetNewRegionId(), peer: id.GetNewPeerIds()[0]})
		}
		return ids, nil
	}
	log.Warn("PD refused to name the parts of a split, taking plain ids", zap.Error(err))
	ids := make([]splitID, n)
	for i := range ids {
		if ids[i].region, err = rs.pd.AllocID(ctx); err != nil {
			return nil, err
		}
		if ids[i].peer, err = rs.pd.AllocID(ctx); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func keyNotInRegion(r *region, key []byte) *errorpb.Error {
	return &errorpb.Error{
		Message: "key is not in region",
		KeyNotInRegion: &errorpb.KeyNotInRegion{
			Key: key, RegionId: r.meta.Id, StartKey: r.meta.StartKey, EndKey: r.meta.EndKey,
		},
	}
}
