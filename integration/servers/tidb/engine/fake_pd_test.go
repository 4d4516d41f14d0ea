package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
)

// fakePD hands out ids and timestamps and remembers what it is told. Methods of
// the interface that the engine has no use for are left nil.
type fakePD struct {
	pd.Client
	next      atomic.Uint64
	clock     atomic.Int64
	safePoint atomic.Uint64

	mu           sync.Mutex
	bootstrapped bool
	reported     map[uint64]*metapb.Region
	handler      func(*pdpb.RegionHeartbeatResponse)
}

func newFakePD() *fakePD {
	p := &fakePD{reported: make(map[uint64]*metapb.Region)}
	p.clock.Store(1000)
	return p
}

func (p *fakePD) GetClusterID(context.Context) uint64           { return 42 }
func (p *fakePD) AllocID(context.Context) (uint64, error)       { return p.next.Add(1), nil }
func (p *fakePD) PutStore(context.Context, *metapb.Store) error { return nil }
func (p *fakePD) GetTS(context.Context) (int64, int64, error)   { return p.clock.Add(1), 0, nil }
func (p *fakePD) GetGCSafePoint(context.Context) (uint64, error) {
	return p.safePoint.Load(), nil
}
func (p *fakePD) StoreHeartbeat(context.Context, *pdpb.StoreStats) error { return nil }

func (p *fakePD) IsBootstrapped(context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bootstrapped, nil
}

func (p *fakePD) Bootstrap(context.Context, *metapb.Store, *metapb.Region) (*pdpb.BootstrapResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bootstrapped = true
	return new(pdpb.BootstrapResponse), nil
}

func (p *fakePD) AskBatchSplit(_ context.Context, _ *metapb.Region, n int) (*pdpb.AskBatchSplitResponse, error) {
	resp := new(pdpb.AskBatchSplitResponse)
	for range n {
		resp.Ids = append(resp.Ids, &pdpb.SplitID{NewRegionId: p.next.Add(1), NewPeerIds: []uint64{p.next.Add(1)}})
	}
	return resp, nil
}

func (p *fakePD) ReportRegion(req *pdpb.RegionHeartbeatRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reported[req.Region.Id] = req.Region
}

func (p *fakePD) SetRegionHeartbeatResponseHandler(h func(*pdpb.RegionHeartbeatResponse)) {
	p.handler = h
}

func (p *fakePD) knows(id uint64) *metapb.Region {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reported[id]
}
