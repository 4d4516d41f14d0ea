package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/stretchr/testify/require"
)

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
