package main

import (
	"context"
	"fmt"
	"hash/crc64"
	"testing"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/tipb/go-tipb"
	"github.com/stretchr/testify/require"
)

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
	require.Contains(t, b.answer(context.Background(), panics).GetRawCoprocessor().GetError(), "Unimplemented")
	empty := &batchReq{Cmd: &tikvpb.BatchCommandsRequest_Request_Empty{Empty: &tikvpb.BatchCommandsEmptyRequest{TestId: 7}}}
	require.EqualValues(t, 7, b.answer(context.Background(), empty).GetEmpty().GetTestId())
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
