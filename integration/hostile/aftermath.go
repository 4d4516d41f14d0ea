package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// aftermath lets every victim use what was planted: nothing is blocked, gone or taken over.
func aftermath(scene *Scene) error {
	for _, victim := range scene.victims() {
		if err := unharmed(victim, scene.Planted[victim.Name]); err != nil {
			return fmt.Errorf("%s after the attack: %w", victim.Name, err)
		}
	}
	return nil
}

func unharmed(victim Tenant, planted *Planted) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	c, err := connect(victim)
	if err != nil {
		return err
	}
	// Held by its transaction all the time, committed now.
	for _, key := range [][]byte{rowKey(knownTable, 9), metaKey("Locked")} {
		if err = c.commit(ctx, key, planted.LockTS); err != nil {
			return fmt.Errorf("its held lock: %w", err)
		}
	}
	for _, key := range [][]byte{rowKey(knownTable, 1), rowKey(knownTable, 9), secretKey(victim), metaKey("Known"), metaKey("Locked")} {
		if err = c.holds(ctx, key, rowValue(victim)); err != nil {
			return err
		}
	}
	if _, err = c.put(ctx, rowKey(knownTable, 2), rowValue(victim)); err != nil {
		return fmt.Errorf("a write: %w", err)
	}
	return c.leasesHeld(ctx, planted)
}

func (c *client) holds(ctx context.Context, key, value []byte) error {
	place, err := c.placeOf(ctx, key)
	if err != nil {
		return err
	}
	now, err := c.timestamp(ctx)
	if err != nil {
		return err
	}
	answer, err := tikvpb.NewTikvClient(c.store).KvGet(ctx, &kvrpcpb.GetRequest{Context: place.context(), Key: key, Version: now})
	if err != nil || answer.RegionError != nil || answer.Error != nil || !bytes.Equal(answer.Value, value) {
		return fmt.Errorf("a row isn't what it was: %v %v", err, answer)
	}
	return nil
}

// leasesHeld: nobody revoked the lease, nobody prolonged it, its owner still can.
func (c *client) leasesHeld(ctx context.Context, planted *Planted) error {
	for _, id := range planted.Leases {
		left, err := etcdserverpb.NewLeaseClient(c.pd).LeaseTimeToLive(ctx, &etcdserverpb.LeaseTimeToLiveRequest{ID: id, Keys: true})
		if err != nil || left.TTL <= 0 || left.GrantedTTL != 1800 || len(left.Keys) != 2 {
			return fmt.Errorf("its lease: %v %v", left, err)
		}
		if left.TTL > 1800-5 {
			return fmt.Errorf("its lease was prolonged: %v", left)
		}
	}
	safe, err := pdpb.NewPDClient(c.pd).GetGCSafePoint(ctx, &pdpb.GetGCSafePointRequest{Header: c.header()})
	if err == nil && safe.SafePoint > planted.RowTS {
		err = fmt.Errorf("its safe point is %d, above what it reads", safe.SafePoint)
	}
	return err
}
