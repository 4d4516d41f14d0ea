package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// savedRegions is regions.json. A split rewrites the whole file, which for the
// few hundred regions of a test cluster costs less than the request to PD.
type savedRegions struct {
	ClusterID uint64   `json:"cluster_id"`
	StoreID   uint64   `json:"store_id"`
	Regions   [][]byte `json:"regions"`
	metas     []*metapb.Region
}

func (s *savedRegions) regions() []*metapb.Region { return s.metas }

// loadRegions returns nil for a new data directory.
func loadRegions(dataDir string) (*savedRegions, error) {
	content, err := os.ReadFile(filepath.Join(dataDir, regionsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	saved := new(savedRegions)
	if err = json.Unmarshal(content, saved); err != nil {
		return nil, err
	}
	for _, encoded := range saved.Regions {
		meta := new(metapb.Region)
		if err = meta.Unmarshal(encoded); err != nil {
			return nil, err
		}
		saved.metas = append(saved.metas, meta)
	}
	return saved, nil
}

func (rs *regions) save() error {
	saved := savedRegions{ClusterID: rs.pd.GetClusterID(context.Background()), StoreID: rs.store.Id}
	for _, r := range rs.all() {
		encoded, err := r.meta.Marshal()
		if err != nil {
			return err
		}
		saved.Regions = append(saved.Regions, encoded)
	}
	content, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(rs.dataDir, regionsFile), content)
}
