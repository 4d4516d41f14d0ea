package main

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/pingcap/badger"
	"github.com/pingcap/log"
	"github.com/pingcap/tidb/pkg/util/codec"
	"go.uber.org/zap"
)

// sizeCheckPause is the pause between two looks at the regions' sizes. Short,
// so that tests with a small --region-size needn't wait.
const sizeCheckPause = time.Second

// runSizeCheck splits regions that have grown, until ctx ends.
func (n *node) runSizeCheck(ctx context.Context) {
	ticker := time.NewTicker(sizeCheckPause)
	defer ticker.Stop()
	for {
		for _, r := range n.regions.all() {
			if size := r.size.Load(); size < 0 || size > n.opts.regionSize*3/2 {
				n.checkSize(r)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// checkSize counts a region's bytes and splits it into parts of --region-size.
func (n *node) checkSize(r *region) {
	var bounds [][]byte
	var size int64
	n.store.view(func(db *badger.DB) { size, bounds = measure(db, r, n.opts.regionSize) })
	r.size.Store(size)
	if len(bounds) == 0 {
		return
	}
	n.regions.splitting.Lock()
	defer n.regions.splitting.Unlock()
	if n.regions.get(r.meta.Id) != r {
		return // split by a request in the meantime
	}
	bounds = slices.DeleteFunc(bounds, func(b []byte) bool { return bytes.Equal(b, r.meta.StartKey) })
	if len(bounds) == 0 {
		return
	}
	if _, err := n.regions.cut(r, bounds); err != nil {
		log.Warn("a region is too large, but can't be split", zap.Uint64("region", r.meta.Id), zap.Error(err))
	}
}

// measure counts the bytes of a region, old versions included, and proposes a
// bound after every target bytes, unless less than half of it would follow.
func measure(db *badger.DB, r *region, target int64) (size int64, bounds [][]byte) {
	var part int64
	var last []byte
	scanVersions(db, r.rawStart, r.rawEnd, func(v version) bool {
		if !bytes.Equal(last, v.key) {
			last = append(last[:0], v.key...)
			if part >= target && v.kind() == kindData {
				bounds, part = append(bounds, codec.EncodeBytes(nil, v.key)), 0
			}
		}
		bytesOf := int64(len(v.key) + v.item.ValueSize() + len(v.meta))
		size, part = size+bytesOf, part+bytesOf
		return true
	})
	if size <= target*3/2 {
		return size, nil
	}
	if len(bounds) > 0 && part < target/2 {
		bounds = bounds[:len(bounds)-1]
	}
	return size, bounds
}
