package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/stretchr/testify/require"
)

func TestSplitAnswersPartsFromLeftToRight(t *testing.T) {
	b := newBench(t)
	old := b.at("a")
	resp := b.split("a", "m", "d", "d", "t")
	require.Nil(t, resp.RegionError)
	require.Len(t, resp.Regions, 4)
	bounds := [][]byte{nil, encoded("d"), encoded("m"), encoded("t"), nil}
	for i, part := range resp.Regions {
		require.Equal(t, string(bounds[i]), string(part.StartKey))
		require.Equal(t, string(bounds[i+1]), string(part.EndKey))
		require.Equal(t, old.RegionEpoch.Version+3, part.RegionEpoch.Version)
		require.Eventually(t, func() bool { return b.pd.knows(part.Id) != nil }, time.Second, time.Millisecond)
	}
	require.Equal(t, old.RegionId, resp.Regions[3].Id, "the rightmost part keeps the id")

	get, err := b.KvGet(context.Background(), &kvrpcpb.GetRequest{Context: old, Key: []byte("a"), Version: 1})
	require.NoError(t, err)
	current := get.RegionError.GetEpochNotMatch().GetCurrentRegions()
	require.Len(t, current, 4, "the client learns all parts at once")
}

func TestSplitRefusesWhatTiKVRefuses(t *testing.T) {
	b := newBench(t)
	b.split("a", "d", "m")
	require.NotNil(t, b.split("e", "z").RegionError.GetKeyNotInRegion())
	require.Contains(t, b.split("e", "d").RegionError.GetMessage(), "no valid key")
	require.Len(t, b.split("e", "d", "f").Regions, 2, "the region's own start is skipped")
}

func TestSplitOfRawKeysIsNotEncoded(t *testing.T) {
	b := newBench(t)
	resp, err := b.SplitRegion(context.Background(), &kvrpcpb.SplitRegionRequest{
		Context: b.at("a"), SplitKeys: [][]byte{[]byte("raw")}, IsRawKv: true,
	})
	require.NoError(t, err)
	require.Equal(t, "raw", string(resp.Left.EndKey))
}

func TestPDSplitsAtKeys(t *testing.T) {
	b := newBench(t)
	at := b.at("a")
	b.pd.handler(&pdpb.RegionHeartbeatResponse{
		RegionId: at.RegionId, RegionEpoch: at.RegionEpoch,
		SplitRegion: &pdpb.SplitRegion{Policy: pdpb.CheckPolicy_USEKEY, Keys: [][]byte{encoded("x"), encoded("y")}},
	})
	require.Eventually(t, func() bool { return len(b.regions.all()) == 3 }, time.Second, time.Millisecond)
}

func TestLargeRegionIsCutIntoPartsOfTheTargetSize(t *testing.T) {
	b := newBench(t)
	for i := range uint64(100) {
		b.put(fmt.Sprintf("key-%02d", i), fmt.Sprintf("%064d", i), 10, 11)
	}
	b.opts.regionSize = 1000
	n := &node{opts: b.opts, regions: b.regions, store: b.store}
	n.checkSize(b.regions.all()[0])
	require.Greater(t, len(b.regions.all()), 5)
	for _, r := range b.regions.all() {
		n.checkSize(r)
		require.LessOrEqual(t, r.size.Load(), int64(1500))
	}
}
