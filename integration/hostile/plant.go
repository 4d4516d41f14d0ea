package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/resource_manager"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// plant gives every victim, and the attacker itself, things of every kind: committed rows, held
// locks, region bounds, etcd keys and leases, safe points, resource groups, rules and labels. The
// secrets are in contents and in names that the attacker doesn't know; beside each stands one
// whose place it does know.
func plant(scene *Scene) error {
	scene.Planted = map[string]*Planted{}
	for _, owner := range append(scene.victims(), scene.attacker()) {
		planted, err := plantFor(owner)
		if err != nil {
			return fmt.Errorf("planting for %s: %w", owner.Name, err)
		}
		scene.Planted[owner.Name] = planted
		for _, refusal := range planted.Refusals {
			fmt.Printf("planting for %s: %s\n", owner.Name, refusal)
		}
	}
	return nil
}

func plantFor(owner Tenant) (*Planted, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	c, err := connect(owner)
	if err != nil {
		return nil, err
	}
	planted := &Planted{}
	if err = planted.rows(ctx, c, owner); err != nil {
		return nil, err
	}
	if err = planted.etcd(ctx, c, owner); err != nil {
		return nil, err
	}
	planted.pd(ctx, c, owner)
	return planted, nil
}

func (p *Planted) rows(ctx context.Context, c *client, owner Tenant) (err error) {
	secret := rowValue(owner)
	for _, key := range [][]byte{rowKey(knownTable, 1), rowKey(knownTable, 2), rowKey(knownTable, 50), secretKey(owner), metaKey("Known"), metaKey(owner.secret())} {
		if p.RowTS, err = c.put(ctx, key, secret); err != nil {
			return err
		}
	}
	if p.LockTS, err = c.timestamp(ctx); err != nil {
		return err
	}
	for _, key := range [][]byte{rowKey(knownTable, 9), metaKey("Locked")} {
		if err = c.prewrite(ctx, key, secret, p.LockTS); err != nil {
			return err
		}
	}
	for _, key := range [][]byte{rowKey(knownTable, 1), secretKey(owner)} {
		if err = p.split(ctx, c, key); err != nil {
			return err
		}
	}
	for _, key := range [][]byte{rowKey(knownTable, 9), secretKey(owner), metaKey("Known")} {
		place, err := c.placeOf(ctx, key)
		if err != nil {
			return err
		}
		p.Regions = append(p.Regions, place.region)
	}
	return nil
}

// rowValue begins as TiDB's rows do, because the engine looks at it.
func rowValue(owner Tenant) []byte { return append([]byte{128}, owner.secret()...) }

// split makes a key, with the secret in it, a region's bound.
func (p *Planted) split(ctx context.Context, c *client, key []byte) error {
	place, err := c.placeOf(ctx, key)
	if err != nil {
		return err
	}
	answer, err := tikvpb.NewTikvClient(c.store).SplitRegion(ctx, &kvrpcpb.SplitRegionRequest{Context: place.context(), SplitKeys: [][]byte{key}})
	if err != nil || answer.RegionError != nil {
		return fmt.Errorf("split: %v %v", err, answer.GetRegionError())
	}
	for range 50 {
		after, err := c.placeOf(ctx, key)
		if err == nil && after != place {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the split is not known to PD")
}

func (p *Planted) etcd(ctx context.Context, c *client, owner Tenant) error {
	lease, err := etcdserverpb.NewLeaseClient(c.pd).LeaseGrant(ctx, &etcdserverpb.LeaseGrantRequest{TTL: 1800})
	if err != nil {
		return err
	}
	p.Leases = append(p.Leases, lease.ID)
	root := ""
	if owner.ID == 0 {
		root = owner.etcdRoot()
	}
	for key, lease := range map[string]int64{"known": 0, "leased": lease.ID, "tidb/" + owner.secret(): lease.ID, owner.secret(): 0} {
		put := &etcdserverpb.PutRequest{Key: []byte(root + key), Value: []byte(owner.secret()), Lease: lease}
		if _, err = etcdserverpb.NewKVClient(c.pd).Put(ctx, put); err != nil {
			return err
		}
	}
	return nil
}

// pd plants what PD may refuse for reasons of its own; then there is nothing to reveal.
func (p *Planted) pd(ctx context.Context, c *client, owner Tenant) {
	note := func(what string, err error) {
		if err != nil {
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s: %v", what, err))
		}
	}
	service := pdpb.NewPDClient(c.pd)
	now, err := c.timestamp(ctx)
	note("timestamp", err)
	for _, name := range []string{"known", owner.secret()} {
		_, err = service.UpdateServiceGCSafePoint(ctx, &pdpb.UpdateServiceGCSafePointRequest{Header: c.header(), ServiceId: []byte(name), TTL: 3600, SafePoint: now})
		note("safe point", err)
	}
	if owner.ID != 0 {
		scope := &pdpb.KeyspaceScope{Keyspace: &pdpb.KeyspaceScope_KeyspaceId{KeyspaceId: 0xFFFFFFFF}}
		_, err = service.SetGCBarrier(ctx, &pdpb.SetGCBarrierRequest{Header: c.header(), KeyspaceScope: scope, BarrierId: owner.shortSecret(), BarrierTs: now, TtlSeconds: 3600})
		note("barrier", err)
	}
	for _, name := range []string{"known", owner.shortSecret()} {
		group := &resource_manager.ResourceGroup{Name: name, Mode: resource_manager.GroupMode_RUMode, RUSettings: &resource_manager.GroupRequestUnitSettings{
			RU: &resource_manager.TokenBucket{Settings: &resource_manager.TokenLimitSettings{FillRate: 1000}},
		}}
		_, err = resource_manager.NewResourceManagerClient(c.pd).AddResourceGroup(ctx, &resource_manager.PutResourceGroupRequest{Group: group})
		note("resource group", err)
	}
	_, err = service.StoreGlobalConfig(ctx, &pdpb.StoreGlobalConfigRequest{ConfigPath: "/global/config", Changes: []*pdpb.GlobalConfigItem{{Name: owner.secret(), Value: owner.secret(), Payload: []byte(owner.secret())}}})
	note("global config", err)
	for _, name := range []string{"known", owner.secret()} {
		note("label", p.post(owner, "region-label/rule", labelRule(name, owner)))
		note("rule", p.post(owner, "rule", placementRule(name)))
	}
}

func labelRule(name string, owner Tenant) string {
	return fmt.Sprintf(`{"id":"schema/%s","labels":[{"key":"merge_option","value":"deny"},{"key":"k","value":"%s"}],"rule_type":"key-range","data":[{"start_key":"%x","end_key":"%x"}]}`,
		name, owner.secret(), memcomparable(rowKey(knownTable, 1)), memcomparable(secretKey(owner)))
}

func placementRule(name string) string {
	return fmt.Sprintf(`{"group_id":"g-%s","id":"%s","start_key":"%x","end_key":"%x","role":"learner","count":1}`,
		name, name, memcomparable(rowKey(knownTable, 1)), memcomparable(rowKey(knownTable, 90)))
}

func (p *Planted) post(owner Tenant, path, body string) error {
	answer, err := http.Post("http://"+owner.PD+"/pd/api/v1/config/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return err
}
