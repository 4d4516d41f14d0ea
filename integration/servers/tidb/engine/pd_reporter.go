package main

import (
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/log"
	"go.uber.org/zap"
)

const (
	// reportAll is the pause between two heartbeats of a region. PD forgets
	// regions when it restarts, and hands its operators out with heartbeats.
	reportAll = 5 * time.Second
	// reportStore is PD's usual pause between two heartbeats of a store.
	reportStore = 10 * time.Second
)

// reporter sends PD the heartbeats of the regions and carries out the
// operators that PD answers with. The stream to PD may block while PD is away;
// only the reporter's own goroutines wait for it.
type reporter struct {
	regions *regions
	changed chan uint64
	done    chan struct{}
	wg      sync.WaitGroup
}

func startReporter(rs *regions) *reporter {
	p := &reporter{regions: rs, changed: make(chan uint64, 4096), done: make(chan struct{})}
	rs.pd.SetRegionHeartbeatResponseHandler(func(resp *pdpb.RegionHeartbeatResponse) { p.operate(resp) })
	p.wg.Add(1)
	go p.run()
	return p
}

// now asks for a heartbeat of a region that has changed. If the queue is full
// the next round reports it.
func (p *reporter) now(id uint64) {
	select {
	case p.changed <- id:
	default:
	}
}

func (p *reporter) run() {
	defer p.wg.Done()
	for {
		for _, r := range p.regions.all() {
			p.send(r)
		}
		round := time.After(reportAll)
		for open := true; open; {
			select {
			case <-p.done:
				return
			case id := <-p.changed:
				if r := p.regions.get(id); r != nil {
					p.send(r)
				}
			case <-round:
				open = false
			}
		}
	}
}

// send waits in a goroutine's stead for the stream, or for stop.
func (p *reporter) send(r *region) {
	sent := make(chan struct{})
	go func() {
		p.regions.pd.ReportRegion(&pdpb.RegionHeartbeatRequest{
			Region:          r.meta,
			Leader:          r.meta.Peers[0],
			Term:            1,
			ApproximateSize: uint64(max(r.size.Load(), 0)),
			ApproximateKeys: uint64(max(r.size.Load(), 0) / 100),
		})
		close(sent)
	}()
	select {
	case <-sent:
	case <-p.done:
	}
}

// operate carries out an operator of PD. Splits at given keys are the ones that
// PD's label rules and keyspaces need; a single store can't do anything about
// the others.
func (p *reporter) operate(resp *pdpb.RegionHeartbeatResponse) {
	split := resp.GetSplitRegion()
	if split == nil {
		if resp.GetChangePeer() != nil || resp.GetTransferLeader() != nil || resp.GetMerge() != nil || resp.GetChangePeerV2() != nil {
			log.Info("an operator of PD is left alone", zap.Stringer("operator", resp))
		}
		return
	}
	if len(split.GetKeys()) == 0 {
		log.Info("a split of PD without keys is left alone", zap.Uint64("region", resp.GetRegionId()))
		return
	}
	go func() {
		ctx := &kvrpcpb.Context{RegionId: resp.GetRegionId(), RegionEpoch: resp.GetRegionEpoch()}
		if _, fault := p.regions.split(ctx, split.GetKeys()); fault != nil {
			log.Warn("a split of PD failed", zap.Uint64("region", resp.GetRegionId()), zap.String("error", fault.GetMessage()))
		}
	}()
}

func (p *reporter) stop() {
	close(p.done)
	p.wg.Wait()
}
