package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv"
)

var _ tikv.RegionManager = (*regions)(nil)

// regions is the set of regions of this store, all led by it. Together they
// cover the whole key space without gaps, or there are none (a store that
// joined a cluster which already had one).
type regions struct {
	pd      pd.Client
	dataDir string
	latches *latches
	store   *metapb.Store
	report  *reporter

	// splitting serializes splits, which ask PD for ids in between.
	splitting sync.Mutex

	mu   sync.RWMutex
	byID map[uint64]*region
	// inOrder has the same regions, by start key.
	inOrder []*region
}

// openRegions loads the regions of a known store, or registers a new one.
func openRegions(opts options, client pd.Client) (*regions, error) {
	rs := &regions{pd: client, dataDir: opts.dataDir, latches: newLatches(), byID: make(map[uint64]*region)}
	saved, err := loadRegions(opts.dataDir)
	if err != nil {
		return nil, err
	}
	cluster := client.GetClusterID(context.Background())
	switch {
	case saved == nil:
		err = rs.register(opts)
	case saved.ClusterID != cluster:
		err = errors.New("the data directory belongs to another cluster than this PD")
	default:
		rs.store = &metapb.Store{Id: saved.StoreID, Address: opts.advertiseAddr, Version: opts.storeVersion}
		rs.set(saved.regions(), nil)
		err = rs.checkKnown()
	}
	if err != nil {
		return nil, err
	}
	rs.store.Address, rs.store.Version = opts.advertiseAddr, opts.storeVersion
	rs.store.StatusAddress, rs.store.StartTimestamp = opts.statusAddr, time.Now().Unix()
	if err = client.PutStore(context.Background(), rs.store); err != nil {
		return nil, err
	}
	rs.report = startReporter(rs)
	return rs, nil
}

// register takes ids from PD and bootstraps the cluster if nobody has. What it
// decides is saved first: a process that dies in between goes on from there.
func (rs *regions) register(opts options) error {
	ctx := context.Background()
	bootstrapped, err := rs.pd.IsBootstrapped(ctx)
	if err != nil {
		return err
	}
	var ids [3]uint64
	for i := range ids {
		if ids[i], err = rs.pd.AllocID(ctx); err != nil {
			return err
		}
	}
	rs.store = &metapb.Store{Id: ids[0], Address: opts.advertiseAddr, Version: opts.storeVersion}
	if !bootstrapped {
		rs.set([]*metapb.Region{{
			Id:          ids[1],
			RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1},
			Peers:       []*metapb.Peer{{Id: ids[2], StoreId: ids[0]}},
		}}, nil)
	}
	if err = rs.save(); err != nil || bootstrapped {
		return err
	}
	return rs.bootstrap()
}

func (rs *regions) bootstrap() error {
	resp, err := rs.pd.Bootstrap(context.Background(), rs.store, rs.all()[0].meta)
	if err != nil {
		return err
	}
	if fault := resp.GetHeader().GetError(); fault != nil {
		return errors.New("bootstrap: " + fault.GetMessage())
	}
	return nil
}

// checkKnown finishes a bootstrap that was interrupted, and refuses to serve old
// data under a PD that has lost its own: ids would be handed out twice.
func (rs *regions) checkKnown() error {
	bootstrapped, err := rs.pd.IsBootstrapped(context.Background())
	if err != nil || bootstrapped {
		return err
	}
	if all := rs.all(); len(all) == 1 && all[0].meta.RegionEpoch.GetVersion() == 1 {
		return rs.bootstrap()
	}
	return errors.New("PD has no cluster, but the data directory has data of one")
}

// set replaces the region gone, if any, by others.
func (rs *regions) set(metas []*metapb.Region, gone *region) []*region {
	added := make([]*region, 0, len(metas))
	for _, meta := range metas {
		added = append(added, newRegion(meta, rs.latches))
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(rs.inOrder), func(r *region) bool { return r == gone })
	rs.inOrder = append(kept, added...)
	slices.SortFunc(rs.inOrder, func(a, b *region) int { return bytes.Compare(a.meta.StartKey, b.meta.StartKey) })
	for _, r := range added {
		rs.byID[r.meta.Id] = r
	}
	return added
}

// get finds a region by id; nil if there is none.
func (rs *regions) get(id uint64) *region {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return rs.byID[id]
}

// all returns the regions by start key.
func (rs *regions) all() []*region {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return slices.Clone(rs.inOrder)
}

// GetRegionFromCtx admits a request to the region that it names.
func (rs *regions) GetRegionFromCtx(ctx *kvrpcpb.Context) (tikv.RegionCtx, *errorpb.Error) {
	r, fault := rs.admit(ctx)
	if fault != nil {
		return nil, fault
	}
	return r, nil
}

func (rs *regions) admit(ctx *kvrpcpb.Context) (*region, *errorpb.Error) {
	if fault := rs.checkStore(ctx); fault != nil {
		return nil, fault
	}
	r := rs.get(ctx.GetRegionId())
	if r == nil {
		return nil, &errorpb.Error{
			Message:        "region not found",
			RegionNotFound: &errorpb.RegionNotFound{RegionId: ctx.GetRegionId()},
		}
	}
	have, asked := r.meta.GetRegionEpoch(), ctx.GetRegionEpoch()
	if have.GetVersion() != asked.GetVersion() || have.GetConfVer() != asked.GetConfVer() {
		return nil, rs.epochNotMatch(r, asked)
	}
	return r, nil
}

// epochNotMatch also names the regions that were split off, so that the client
// needn't ask PD: a region keeps its id for its rightmost part, hence they lie
// to its left, at most one for each version that the client has missed.
func (rs *regions) epochNotMatch(r *region, asked *metapb.RegionEpoch) *errorpb.Error {
	all := rs.all()
	at := slices.Index(all, r)
	current := []*metapb.Region{r.meta}
	missed := r.meta.GetRegionEpoch().GetVersion() - min(asked.GetVersion(), r.meta.GetRegionEpoch().GetVersion())
	for i := at - 1; i >= 0 && missed > 0; i, missed = i-1, missed-1 {
		current = append(current, all[i].meta)
	}
	return &errorpb.Error{
		Message:       "epoch not match",
		EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: current},
	}
}

func (rs *regions) checkStore(ctx *kvrpcpb.Context) *errorpb.Error {
	if ctx.GetPeer() == nil || ctx.GetPeer().GetStoreId() == rs.store.Id {
		return nil
	}
	return &errorpb.Error{
		Message: "store not match",
		StoreNotMatch: &errorpb.StoreNotMatch{
			RequestStoreId: ctx.GetPeer().GetStoreId(),
			ActualStoreId:  rs.store.Id,
		},
	}
}

// GetStoreInfoFromCtx names this store, if it is the one asked for.
func (rs *regions) GetStoreInfoFromCtx(ctx *kvrpcpb.Context) (string, uint64, *errorpb.Error) {
	return rs.store.Address, rs.store.Id, rs.checkStore(ctx)
}

// GetStoreIDByAddr knows this store only.
func (rs *regions) GetStoreIDByAddr(addr string) (uint64, error) {
	if addr != rs.store.Address {
		return 0, errors.New("no such store")
	}
	return rs.store.Id, nil
}

// GetStoreAddrByStoreID knows this store only.
func (rs *regions) GetStoreAddrByStoreID(id uint64) (string, error) {
	if id != rs.store.Id {
		return "", errors.New("no such store")
	}
	return rs.store.Address, nil
}

// Close leaves the regions open: they outlive the store, which is replaced
// when the database is rewritten. See stop.
func (rs *regions) Close() error { return nil }

func (rs *regions) stop() {
	if rs.report != nil {
		rs.report.stop()
	}
}
