package main

import (
	"context"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/util/codec"
	"github.com/stretchr/testify/require"
)

func TestRawScanOfAFamilyFindsWhatNoReaderSees(t *testing.T) {
	b := newBench(t)
	scan := func(family, start, end string) int {
		resp, err := b.RawScan(context.Background(), &kvrpcpb.RawScanRequest{
			Context:  b.at("a"),
			Cf:       family,
			StartKey: codec.EncodeBytes(nil, []byte(start)),
			EndKey:   codec.EncodeBytes(nil, []byte(end)),
			Limit:    10,
		})
		require.NoError(t, err)
		require.Nil(t, resp.RegionError)
		return len(resp.Kvs)
	}
	b.put("ta", "old", 10, 11)
	b.put("ta", "", 12, 13)
	b.rollBack("tb", 14)
	b.lock("tc", "locked", 16)
	require.Equal(t, 2, scan(familyWrite, "ta", "tb"))
	require.Equal(t, 1, scan(familyDefault, "tb", "tc"))
	require.Equal(t, 1, scan(familyLock, "tc", "td"))
	require.Zero(t, scan(familyLock, "ta", "tc"))
	require.NoError(t, b.destroyRange([]byte("t"), []byte("u")))
	for _, family := range []string{familyLock, familyWrite, familyDefault} {
		require.Zero(t, scan(family, "t", "u"))
	}
}
