package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A dump has one line for everything that PD keeps, by owner:
//
//	owner <tab> kind <tab> key <tab> the rest
//
// kind is etcd, region or http. Compared line by line before and after, it shows what an attack
// changed, whoever owns it. What changes by itself is listed in movers.go, each with its reason, and
// of it all that stays is written down.
func dump(scene *Scene, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := connect(scene.zero())
	if err != nil {
		return err
	}
	var lines []string
	for _, part := range []func(context.Context, *Scene, *client) ([]string, error){etcdLines, regionLines, configLines} {
		more, err := part(ctx, scene, c)
		if err != nil {
			return err
		}
		lines = append(lines, more...)
	}
	slices.Sort(lines)
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func etcdLines(ctx context.Context, scene *Scene, c *client) ([]string, error) {
	all, err := etcdserverpb.NewKVClient(c.pd).Range(ctx, &etcdserverpb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, kv := range all.Kvs {
		line, err := stillPart(scene, kv)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", kv.Key, err)
		}
		lines = append(lines, fmt.Sprintf("%s\tetcd\t%q\t%s", ownerOf(scene, string(kv.Key)), kv.Key, line))
	}
	return lines, nil
}

func ownerOf(scene *Scene, key string) string {
	for _, tenant := range scene.Tenants {
		for _, form := range []string{"tidb-mesh-data/%08x", "tidb-mesh-data-leases/%08x", "tidb-mesh-data:%08x", "tidb-mesh/v1/gc/%08x"} {
			// PD keeps the names of some rules in hex.
			name := fmt.Sprintf(form, tenant.ID)
			if strings.Contains(key, name) || strings.Contains(key, hex.EncodeToString([]byte(name))) {
				return tenant.Name
			}
		}
		if group := fmt.Sprintf("/t%d_", tenant.ID); strings.HasPrefix(key, "resource_group/") && strings.Contains(key, group) {
			return tenant.Name
		}
		if strings.HasSuffix(key, fmt.Sprintf("/service/tidb-mesh/table/%d", tenant.ID)) {
			return tenant.Name
		}
	}
	switch {
	case strings.HasPrefix(key, "/tidb-mesh"):
		return "mesh"
	case strings.HasPrefix(key, "/zero/"), strings.HasPrefix(key, "/tidb/"), strings.HasPrefix(key, "/topology/"):
		return "zero"
	default:
		return "pd"
	}
}

func get(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// regionLines lists the regions by whom they begin in.
func regionLines(_ context.Context, scene *Scene, _ *client) ([]string, error) {
	all, err := regionsAt(scene.RealPD)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, region := range all {
		start, err := hex.DecodeString(region.Start)
		if err != nil {
			return nil, err
		}
		what := "region"
		if key := decoded(start); begins(key, plantedPrefixes(scene)) {
			what = "known region"
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%d\t%s %s %s", regionOwner(scene, decoded(start)), what, region.ID, region.Start, region.End, region.Epoch))
	}
	return lines, nil
}

// regionOwner is whose key a region begins with.
func regionOwner(scene *Scene, start []byte) string {
	for _, tenant := range scene.Tenants {
		if begins(start, [][]byte{physical(tenant.ID, tableKey(0))[:3], physical(tenant.ID, []byte("m"))}) {
			return tenant.Name
		}
	}
	return "zero"
}

// plantedPrefixes are where nobody's TiDB works.
func plantedPrefixes(scene *Scene) [][]byte {
	var list [][]byte
	for _, tenant := range scene.Tenants {
		for _, table := range []uint64{knownTable, secretTable} {
			list = append(list, physical(tenant.ID, tableKey(table)))
		}
	}
	return list
}

func begins(key []byte, prefixes [][]byte) bool {
	return slices.ContainsFunc(prefixes, func(prefix []byte) bool { return bytes.HasPrefix(key, prefix) })
}

// configLines are what PD's HTTP API tells of what all share.
func configLines(_ context.Context, scene *Scene, _ *client) ([]string, error) {
	var lines []string
	for _, path := range []string{"api/v1/config", "api/v1/schedulers", "api/v1/config/placement-rule", "api/v1/config/rule_groups", "api/v1/config/region-label/rules", "api/v1/operators", "api/v2/keyspaces"} {
		text, err := get("http://" + scene.RealPD + "/pd/" + path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, valueLines(scene, path, text)...)
	}
	return lines, nil
}

// valueLines gives each element of a list a line of its own, so that it has its own owner.
func valueLines(scene *Scene, path string, text []byte) []string {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	var lines []string
	for _, element := range list {
		flat := &bytes.Buffer{}
		if json.Compact(flat, element) != nil {
			flat = bytes.NewBuffer(element)
		}
		owner := ownerOf(scene, flat.String())
		lines = append(lines, fmt.Sprintf("%s\thttp\t%s\t%s", owner, path, strings.ReplaceAll(flat.String(), "\n", " ")))
	}
	return lines
}
