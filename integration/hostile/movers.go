package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// mover is a key of PD's etcd that is written without anybody's call, why, and what of it stays.
type mover struct {
	keys *regexp.Regexp
	why  string
	// still gives the part of the value that stays; without it only the key does.
	still func(value []byte) (string, error)
}

var movers = []mover{
	{regexp.MustCompile(`^/pd/\d+/timestamp$`), "PD writes every few seconds up to where it will give out timestamps", nil},
	{regexp.MustCompile(`^/pd/\d+/raft/s/`), "a store's heartbeat notes its time", storeWithoutHeartbeat},
	{regexp.MustCompile(`^/pd/\d+/alloc_id$`), "ids of everybody's regions are taken from one counter, a thousand at a time", nil},
	{regexp.MustCompile(`^resource_group/states/`), "PD notes every minute what was used under each group", nil},
}

// stillPart is what a key's line says beside its name.
func stillPart(scene *Scene, kv *mvccpb.KeyValue) (string, error) {
	for _, mover := range movers {
		if !mover.keys.Match(kv.Key) {
			continue
		}
		if mover.still == nil {
			return "moves: " + mover.why, nil
		}
		part, err := mover.still(kv.Value)
		return part + " moves: " + mover.why, err
	}
	if strings.HasPrefix(string(kv.Key), "/tidb-mesh/v1/gc/") && ownerOf(scene, string(kv.Key)) == scene.working().Name {
		part, err := barriers(kv.Value)
		return part + " moves: the collector of the TiDB that works", err
	}
	return fmt.Sprintf("lease=%x created=%d modified=%d version=%d %q", kv.Lease, kv.CreateRevision, kv.ModRevision, kv.Version, kv.Value), nil
}

func storeWithoutHeartbeat(value []byte) (string, error) {
	store := &metapb.Store{}
	if err := store.Unmarshal(value); err != nil {
		return "", err
	}
	store.LastHeartbeat = 0
	return store.String(), nil
}

// barriers are what a tenant's record of garbage collection has that only calls change.
func barriers(value []byte) (string, error) {
	var record struct {
		Barriers json.RawMessage `json:"barriers"`
	}
	err := json.Unmarshal(value, &record)
	return string(record.Barriers), err
}
