package main

import (
	"context"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/util/codec"
	"github.com/stretchr/testify/require"
)

// bench is an engine without network, on a fake PD. reopen ends and starts it
// again on the same directory.
type bench struct {
	*service
	t    *testing.T
	pd   *fakePD
	opts options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, pd: newFakePD(), opts: options{
		advertiseAddr: "engine", dataDir: t.TempDir(), storeVersion: "8.1.0", regionSize: 1 << 40,
	}}
	b.open()
	t.Cleanup(b.close)
	return b
}

func (b *bench) open() {
	rs, err := openRegions(b.opts, b.pd)
	require.NoError(b.t, err)
	s, err := openStore(b.opts, rs, b.pd)
	require.NoError(b.t, err)
	b.service = &service{s}
}

func (b *bench) close() {
	b.regions.stop()
	b.stop()
}

func (b *bench) reopen() { b.close(); b.open() }

// kill goes on with what a process killed at this moment would have left.
func (b *bench) kill() {
	b.t.Helper()
	left := b.t.TempDir()
	require.NoError(b.t, os.CopyFS(left, os.DirFS(b.opts.dataDir)))
	b.close()
	b.opts.dataDir = left
	b.open()
}

// at returns the context of a request for the region that holds a key.
func (b *bench) at(key string) *kvrpcpb.Context {
	for _, r := range b.regions.all() {
		if string(r.rawStart) <= key && key < string(r.rawEnd) {
			return &kvrpcpb.Context{RegionId: r.meta.Id, RegionEpoch: r.meta.RegionEpoch, Peer: r.meta.Peers[0]}
		}
	}
	b.t.Fatalf("no region holds %q", key)
	return nil
}

// lock leaves a prewritten key behind.
func (b *bench) lock(key, value string, start uint64) {
	b.t.Helper()
	op := kvrpcpb.Op_Put
	if value == "" {
		op = kvrpcpb.Op_Del
	}
	resp, err := b.KvPrewrite(context.Background(), &kvrpcpb.PrewriteRequest{
		Context: b.at(key), PrimaryLock: []byte(key), StartVersion: start, LockTtl: 1,
		Mutations: []*kvrpcpb.Mutation{{Op: op, Key: []byte(key), Value: []byte(value)}},
	})
	require.NoError(b.t, err)
	require.Empty(b.t, resp.Errors)
	require.Nil(b.t, resp.RegionError)
}

// put commits a value, or a deletion if it is empty.
func (b *bench) put(key, value string, start, commit uint64) {
	b.t.Helper()
	b.lock(key, value, start)
	resp, err := b.KvCommit(context.Background(), &kvrpcpb.CommitRequest{
		Context: b.at(key), StartVersion: start, CommitVersion: commit, Keys: [][]byte{[]byte(key)},
	})
	require.NoError(b.t, err)
	require.Nil(b.t, resp.Error)
}

// rollBack leaves a status record behind.
func (b *bench) rollBack(key string, start uint64) {
	b.t.Helper()
	resp, err := b.KvBatchRollback(context.Background(), &kvrpcpb.BatchRollbackRequest{
		Context: b.at(key), StartVersion: start, Keys: [][]byte{[]byte(key)},
	})
	require.NoError(b.t, err)
	require.Nil(b.t, resp.Error)
}

func (b *bench) get(key string, ts uint64) string {
	b.t.Helper()
	resp, err := b.KvGet(context.Background(), &kvrpcpb.GetRequest{Context: b.at(key), Key: []byte(key), Version: ts})
	require.NoError(b.t, err)
	require.Nil(b.t, resp.Error)
	return string(resp.Value)
}

// dumped returns kind, key and the rest of each line of a dump, keys and values
// in plain text.
func (b *bench) dumped() []string {
	b.t.Helper()
	var out strings.Builder
	require.NoError(b.t, dump(&out, b.bundle, dumpOptions{values: true}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if lines[0] == "" {
		return nil
	}
	for i, line := range lines {
		f := strings.Fields(line)
		lines[i] = strings.Join([]string{f[0], plain(f[1]), plain(f[2]), f[3], f[4], f[5]}, " ")
	}
	return lines
}

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
