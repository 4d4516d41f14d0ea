package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/tidb/pkg/util/codec"
	"github.com/pingcap/tipb/go-tipb"
	"github.com/stretchr/testify/require"
)

func plain(field string) string {
	if raw, err := hex.DecodeString(field); err == nil {
		for i, c := range raw {
			if c < 0x20 || c > 0x7e {
				return string(raw[:i])
			}
		}
		return string(raw)
	}
	return field
}

func encoded(key string) []byte { return codec.EncodeBytes(nil, []byte(key)) }

func (b *bench) split(key string, keys ...string) *kvrpcpb.SplitRegionResponse {
	b.t.Helper()
	req := &kvrpcpb.SplitRegionRequest{Context: b.at(key)}
	for _, k := range keys {
		req.SplitKeys = append(req.SplitKeys, []byte(k))
	}
	resp, err := b.SplitRegion(context.Background(), req)
	require.NoError(b.t, err)
	return resp
}

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

func TestRestartKeepsRegionsDataAndLocks(t *testing.T) {
	b := newBench(t)
	b.split("a", "m")
	b.put("a", "1", 10, 20)
	b.rollBack("b", 12)
	b.lock("n", "2", 30)
	before, ids := b.dumped(), b.at("n")
	b.reopen()
	require.Equal(t, before, b.dumped())
	require.Equal(t, ids.String(), b.at("n").String())
	require.Equal(t, "1", b.get("a", 100))
}

func TestKillKeepsWhatWasAcknowledged(t *testing.T) {
	b := newBench(t)
	b.split("a", "m")
	var done sync.WaitGroup
	for w := range 8 {
		done.Add(1)
		go func() {
			defer done.Done()
			for i := range uint64(50) {
				b.put(fmt.Sprintf("key-%d", w), fmt.Sprint(i), 10+i*10, 15+i*10)
				b.rollBack(fmt.Sprintf("key-%d", w), 11+i*10)
			}
		}()
	}
	done.Wait()
	b.lock("z", "1", 2000)
	before, at := b.dumped(), b.at("z")
	for range 2 { // the second time without a write in between
		b.kill()
		require.Equal(t, before, b.dumped())
		require.Equal(t, at.String(), b.at("z").String())
	}
	require.NoError(t, b.collect(1))
	b.put("z1", "1", 3000, 3001)
	b.garbage.Store(true)
	require.NoError(t, b.collect(200))
	rewritten := b.dumped()
	require.Less(t, len(rewritten), len(before))
	b.kill()
	b.reopen()
	b.kill()
	require.Equal(t, rewritten, b.dumped())
}

func TestLockThatWasBeingRemovedIsNotRestored(t *testing.T) {
	b := newBench(t)
	b.lock("a", "1", 10)
	held := b.locks.held["a"]
	resp, err := b.KvCommit(context.Background(), &kvrpcpb.CommitRequest{
		Context: b.at("a"), StartVersion: 10, CommitVersion: 20, Keys: [][]byte{[]byte("a")},
	})
	require.NoError(t, err)
	require.Nil(t, resp.Error)
	// As if the process had died between the commit and its note in the log.
	require.NoError(t, b.locks.append([]lockChange{{key: []byte("a"), lock: held}}))
	b.reopen()
	require.Equal(t, []string{"data a 1 10 20 put"}, b.dumped())
}

func TestLockLogEndsAtATornRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), locksFile)
	l, err := openLockLog(path)
	require.NoError(t, err)
	require.NoError(t, l.append([]lockChange{{[]byte("a"), []byte("1")}, {[]byte("b"), []byte("2")}}))
	l.close()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content[:len(content)-1], 0o644))
	l, err = openLockLog(path)
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"a": []byte("1")}, l.held)
	l.close()
}

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

func TestGCKeepsWhatAReaderAtTheSafePointSees(t *testing.T) {
	b := newBench(t)
	b.put("a", "a1", 10, 11)
	b.put("a", "a2", 20, 21)
	b.put("a", "a3", 30, 31)
	b.put("a", "a4", 40, 41)
	b.put("b", "b1", 10, 11)
	b.put("b", "", 20, 21)
	b.put("c", "c1", 10, 11)
	b.put("c", "", 40, 41)
	b.rollBack("d", 5)
	b.rollBack("d", 50)
	b.lock("e", "e1", 60)
	require.NoError(t, b.collect(35))
	want := []string{
		"data a a4 40 41 put", "old-version a a3 30 31 put",
		"data c - 40 41 delete", "old-version c c1 10 11 put",
		"lock e e1 60 - Put", "status e - 50 0 rollback",
	}
	require.Equal(t, want, b.dumped())
	require.Equal(t, "a3", b.get("a", 35))
	require.Equal(t, "c1", b.get("c", 35))
	require.NoError(t, b.collect(35))
	require.Equal(t, "kv-2", b.name, "nothing more to free: no rewrite")
	b.reopen()
	require.Equal(t, want, b.dumped())
}

func TestRewriteUnderLoadLosesNothing(t *testing.T) {
	b := newBench(t)
	const writers, writes = 4, 100
	var done sync.WaitGroup
	for w := range writers {
		done.Add(1)
		go func() {
			defer done.Done()
			for i := range uint64(writes) {
				b.mu.RLock()
				b.put(fmt.Sprintf("key-%d", w), fmt.Sprint(i), 10+i*10, 15+i*10)
				b.mu.RUnlock()
			}
		}()
	}
	for i := range uint64(10) {
		require.NoError(t, b.collect(i*100))
		time.Sleep(time.Millisecond)
	}
	done.Wait()
	require.NoError(t, b.collect(10*writes+10))
	require.Len(t, b.dumped(), writers)
	for w := range writers {
		require.Equal(t, fmt.Sprint(writes-1), b.get(fmt.Sprintf("key-%d", w), 1<<60))
	}
}

func TestScanLockHonoursBoundsAndLimit(t *testing.T) {
	b := newBench(t)
	for i, key := range []string{"a", "b", "c", "d"} {
		b.lock(key, "1", uint64(10+i))
	}
	scan := func(start, end string, maxTS uint64, limit uint32) (found []string) {
		resp, err := b.KvScanLock(context.Background(), &kvrpcpb.ScanLockRequest{
			Context: b.at("a"), StartKey: []byte(start), EndKey: []byte(end), MaxVersion: maxTS, Limit: limit,
		})
		require.NoError(t, err)
		for _, lock := range resp.Locks {
			found = append(found, string(lock.Key))
		}
		return found
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, scan("", "", 100, 0))
	require.Equal(t, []string{"b", "c"}, scan("b", "d", 100, 10))
	require.Equal(t, []string{"a", "b"}, scan("", "", 11, 10), "a lock as old as the limit counts")
	require.Equal(t, []string{"c"}, scan("c", "", 100, 1))
}

func TestChecksumIsTheSameUnderARule(t *testing.T) {
	b := newBench(t)
	for i, key := range []string{"t1", "t2", "tenant-t1", "tenant-t2"} {
		b.put(key, fmt.Sprintf("value %d", i%2), 10, 11)
	}
	sum := func(start, end string, rule *tipb.ChecksumRewriteRule) *tipb.ChecksumResponse {
		data, err := (&tipb.ChecksumRequest{Rule: rule}).Marshal()
		require.NoError(t, err)
		resp, err := b.Coprocessor(context.Background(), &coprocessor.Request{
			Context: b.at("t"), Tp: 105, StartTs: 100, Data: data,
			Ranges: []*coprocessor.KeyRange{{Start: []byte(start), End: []byte(end)}},
		})
		require.NoError(t, err)
		require.Empty(t, resp.OtherError)
		got := new(tipb.ChecksumResponse)
		require.NoError(t, got.Unmarshal(resp.Data))
		return got
	}
	got := sum("t1", "t3", nil)
	ecma := crc64.MakeTable(crc64.ECMA)
	require.Equal(t, crc64.Checksum([]byte("t1value 0"), ecma)^crc64.Checksum([]byte("t2value 1"), ecma), got.Checksum)
	require.EqualValues(t, 2, got.TotalKvs)
	require.EqualValues(t, 18, got.TotalBytes)
	rule := &tipb.ChecksumRewriteRule{OldPrefix: []byte("t"), NewPrefix: []byte("tenant-t")}
	require.Equal(t, got, sum("tenant-t1", "tenant-t3", rule))
}

func TestBatchAnswersUnknownAndPanickingCommands(t *testing.T) {
	b := newBench(t)
	require.Equal(t, new(batchResp), b.answer(context.Background(), new(batchReq)))
	panics := &batchReq{Cmd: &tikvpb.BatchCommandsRequest_Request_RawCoprocessor{RawCoprocessor: new(kvrpcpb.RawCoprocessorRequest)}}
	require.Equal(t, new(batchResp), b.answer(context.Background(), panics))
	empty := &batchReq{Cmd: &tikvpb.BatchCommandsRequest_Request_Empty{Empty: &tikvpb.BatchCommandsEmptyRequest{TestId: 7}}}
	require.EqualValues(t, 7, b.answer(context.Background(), empty).GetEmpty().GetTestId())
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

func TestFlashbackRestoresWhatWas(t *testing.T) {
	b := newBench(t)
	b.put("changed", "old", 10, 11)
	b.put("changed", "new", 30, 31)
	b.put("created", "new", 30, 31)
	b.put("deleted", "old", 10, 11)
	b.put("deleted", "", 30, 31)
	b.put("same", "old", 10, 11)
	b.lock("same", "never", 40)
	for range 2 {
		resp, err := b.KvFlashbackToVersion(context.Background(), &kvrpcpb.FlashbackToVersionRequest{
			Context: b.at("a"), Version: 20, StartTs: 50, CommitTs: 51,
		})
		require.NoError(t, err)
		require.Empty(t, resp.Error)
	}
	for key, want := range map[string]string{"changed": "old", "created": "", "deleted": "old", "same": "old"} {
		require.Equal(t, want, b.get(key, 60), key)
	}
	require.Equal(t, "new", b.get("changed", 40), "what was between stays")
	require.Empty(t, b.locks.held)
}

func TestDestroyAndGCOfDataFromDisk(t *testing.T) {
	b := newBench(t)
	for i := range uint64(1000) {
		b.put(fmt.Sprintf("t%04d", i), fmt.Sprint(i), 10, 11)
	}
	for i := range uint64(100) {
		b.put(fmt.Sprintf("t%04d", i*10), fmt.Sprint(i), 12, 13)
	}
	require.NoError(t, b.collect(11))
	b.reopen()
	require.Len(t, b.dumped(), 1100)
	for i := range uint64(100) {
		b.put(fmt.Sprintf("t%04d", i*10), fmt.Sprint(i), 50, 53)
	}
	require.NoError(t, b.destroyRange([]byte("t0500"), []byte("t0600")))
	require.Len(t, b.dumped(), 1080)
	require.NoError(t, b.collect(30))
	require.Len(t, b.dumped(), 990)
	b.reopen()
	require.NoError(t, b.collect(60))
	require.Len(t, b.dumped(), 900)
}
