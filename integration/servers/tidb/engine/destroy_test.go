package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/stretchr/testify/require"
)

func TestDestroyRangeRemovesAllAboutItsKeysAndNothingElse(t *testing.T) {
	b := newBench(t)
	ts := uint64(10)
	fill := func(key string) {
		b.put(key, "old", ts, ts+1)
		b.put(key, "new", ts+2, ts+3)
		b.rollBack(key, ts+4)
		b.lock(key, "locked", ts+5)
		ts += 10
	}
	// Keys around both bounds; "ta" is a prefix of the end, and the status
	// records of t… lie among the data of u….
	for _, key := range []string{"s", "t", "ta", "taa", "tab", "tb", "u", "ua", "uaa"} {
		fill(key)
	}
	all := b.dumped()
	require.NoError(t, b.destroyRange([]byte("ta"), []byte("tab")))
	var want []string
	for _, line := range all {
		var owner string
		var kind, key, value string
		var start, commit uint64
		var detail string
		_, err := fmt.Sscan(line, &kind, &key, &value, &start, &commit, &detail)
		if err != nil {
			_, err = fmt.Sscan(line, &kind, &key, &value, &start)
			require.NoError(t, err)
		}
		owner = key
		if kind == kindStatus {
			owner = string(key[0]-1) + key[1:]
		}
		if owner != "ta" && owner != "taa" {
			want = append(want, line)
		}
	}
	require.Len(t, all, 9*4)
	require.Len(t, want, 7*4)
	require.Equal(t, want, b.dumped())
	b.reopen()
	require.Equal(t, want, b.dumped())

	// The key lives again when it is written again, before and after a rewrite.
	b.put("ta", "again", ts, ts+1)
	require.NoError(t, b.collect(0))
	require.Equal(t, "again", b.get("ta", ts+2))
	require.Len(t, b.dumped(), len(want)+1)
	require.Equal(t, "kv-2", b.name)
}

func TestDeleteRangeStaysInItsRegion(t *testing.T) {
	b := newBench(t)
	b.put("a", "1", 10, 11)
	b.put("z", "1", 10, 11)
	b.split("a", "m")
	resp, err := b.KvDeleteRange(context.Background(), &kvrpcpb.DeleteRangeRequest{Context: b.at("a")})
	require.NoError(t, err)
	require.Empty(t, resp.Error)
	require.Equal(t, []string{"data z 1 10 11 put"}, b.dumped())
}
