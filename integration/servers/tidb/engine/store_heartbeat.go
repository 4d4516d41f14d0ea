package main

import (
	"context"
	"syscall"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/log"
	"go.uber.org/zap"
)

// runStoreHeartbeat tells PD that the store is alive until ctx ends.
func (rs *regions) runStoreHeartbeat(ctx context.Context) {
	ticker := time.NewTicker(reportStore)
	defer ticker.Stop()
	started := uint32(time.Now().Unix())
	for {
		stats := rs.storeStats(started)
		if err := rs.pd.StoreHeartbeat(ctx, stats); err != nil && ctx.Err() == nil {
			log.Warn("heartbeat of the store failed", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (rs *regions) storeStats(started uint32) *pdpb.StoreStats {
	stats := &pdpb.StoreStats{StoreId: rs.store.Id, StartTime: started}
	var disk syscall.Statfs_t
	if syscall.Statfs(rs.dataDir, &disk) == nil {
		stats.Capacity = disk.Blocks * uint64(disk.Bsize)
		stats.Available = disk.Bavail * uint64(disk.Bsize)
	}
	for _, r := range rs.all() {
		stats.RegionCount++
		stats.UsedSize += uint64(max(r.size.Load(), 0))
	}
	return stats
}
