package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
