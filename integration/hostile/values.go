package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Kinds of fields, by what a hostile value for them is.
const (
	kindKey     = "raw key"
	kindEncoded = "encoded key"
	kindPath    = "etcd key"
	kindName    = "name"
	kindNumber  = "number"
	kindChoice  = "choice"
	kindPayload = "payload"
	kindPlan    = "plan"
)

// place is a region as a request's context names it.
type place struct{ region, confVer, version, peer, store uint64 }

// values holds hostile values per kind, and what an honest client of the attacker's would send.
type values struct {
	byKind     map[string][][]byte
	victims    []map[string][]byte
	home       place
	everywhere []place
	cluster    uint64
	now        uint64
	lowKey     []byte
	highKey    []byte
}

func newValues(scene *Scene, home place, foreign []place, cluster, now uint64) *values {
	v := &values{
		byKind: map[string][][]byte{}, home: home, everywhere: foreign, cluster: cluster, now: now,
		lowKey: rowKey(knownTable, 1), highKey: rowKey(knownTable, 100),
	}
	keys := hostileKeys(scene)
	v.byKind[kindKey] = keys
	for _, key := range keys {
		v.byKind[kindEncoded] = append(v.byKind[kindEncoded], memcomparable(key))
	}
	v.byKind[kindEncoded] = append(v.byKind[kindEncoded], keys[:8]...)
	v.byKind[kindPath] = texts(hostilePaths(scene))
	v.byKind[kindName] = texts(hostileNames(scene))
	v.byKind[kindNumber] = hostileNumbers(scene, foreign, now)
	v.byKind[kindPayload] = [][]byte{nil, {0}, []byte("payload"), bytes.Repeat([]byte{0xFF}, 300), bytes.Repeat([]byte("p"), 70_000)}
	for choice := range uint64(14) {
		v.byKind[kindChoice] = append(v.byKind[kindChoice], number(choice))
	}
	v.byKind[kindChoice] = append(v.byKind[kindChoice], number(1<<31), number(1<<63))
	v.byKind[kindPlan] = hostilePlans(scene)
	for i, victim := range scene.victims() {
		v.victims = append(v.victims, victimValues(scene, victim, foreign[2*i]))
	}
	return v
}

func (v *values) of(kind string) [][]byte  { return v.byKind[kind] }
func (v *values) all() []map[string][]byte { return v.victims }
func number(n uint64) []byte               { return protowire.AppendVarint(nil, n) }
func (v *values) places(i int) []place {
	return append([]place{v.home}, v.everywhere[i%len(v.everywhere)])
}

// ranges are pairs of bounds: whole, reversed, over the seams between kinds of keys, somebody's.
func (v *values) ranges(kind string) [][2][]byte {
	values := v.of(kind)
	open := [][]byte{nil, {0}, {0xFF}, []byte("m"), []byte("n"), []byte("t"), []byte("u")}
	if kind == kindEncoded {
		for i, bound := range open[1:] {
			open[i+1] = memcomparable(bound)
		}
	}
	var pairs [][2][]byte
	for _, low := range open {
		for _, high := range open {
			pairs = append(pairs, [2][]byte{low, high})
		}
	}
	for i := range len(values) - 1 {
		pairs = append(pairs, [2][]byte{values[i], values[i+1]}, [2][]byte{values[i+1], values[i]},
			[2][]byte{nil, values[i]}, [2][]byte{values[i], nil})
	}
	return pairs
}

func hostileKeys(scene *Scene) [][]byte {
	var keys [][]byte
	for _, victim := range scene.victims() {
		for _, key := range [][]byte{rowKey(knownTable, 1), rowKey(knownTable, 9), metaKey("Known"), tableKey(secretTable)} {
			keys = append(keys, physical(victim.ID, key))
		}
		// Twice tagged, should the gateway's tag ever be merged instead of refused.
		keys = append(keys, physical(scene.attacker().ID, physical(victim.ID, rowKey(knownTable, 1))))
		keys = append(keys, memcomparable(physical(victim.ID, rowKey(knownTable, 1))))
	}
	return append(keys,
		nil, []byte{0}, []byte{0xFF}, bytes.Repeat([]byte{0xFF}, 9), []byte("m"), []byte("n"), []byte("u"), []byte("t"),
		[]byte("m\x01"), []byte("m\x01\x00"), []byte("t\x80"), []byte("t\x80\x00"), []byte("s\xFF"),
		tableKey(1<<48), tableKey(1<<63), tableKey(1<<63|1<<48), tableKey(1<<48-1), []byte("m\x00\x00\x00"),
		[]byte("x\x00\x00\x01t"), []byte("r\x00\x00\x01"), []byte("\x02mesh\x00\x00\x02"), []byte("DATA_KEY"),
		bytes.Repeat([]byte("t"), 70_000), []byte("z\x00\x01"), []byte("n\x01\x00\x02"),
		rowKey(knownTable, 1), tableKey(0), memcomparable(nil),
	)
}

func hostilePaths(scene *Scene) []string {
	paths := []string{
		"/", "", "\x00", "\xff", "/tidb-mesh/", "/tidb-mesh/v1/tenants/", "/tidb-mesh/v1/tenant0", "/tidb-mesh/v1/ids/table/2",
		"/tidb-mesh-data/", "/tidb-mesh-data-leases/", "/pd/", "/pd", "resource_group/", "resource_group/settings/",
		"resource_group/settings", "/tidb/", "/tidb/server/minstartts/", "/tidb/store/gcworker/saved_safe_point",
		"../", "/../", "//", "/keyspaces/", "/ms/", "\x00\x00", strings.Repeat("p", 70_000), "/global/config/", "resource_group/../",
	}
	for _, victim := range scene.victims() {
		paths = append(paths, victim.etcdRoot()+"known", "../"+victim.etcdRoot()+"known", victim.etcdRoot(),
			fmt.Sprintf("/tidb-mesh-data/%08x0", victim.ID), fmt.Sprintf("/tidb-mesh/v1/gc/%08x", victim.ID),
			fmt.Sprintf("/tidb-mesh-data-leases/%08x/", victim.ID), fmt.Sprintf("resource_group/settings/t%d_known", victim.ID))
	}
	return paths
}

// localSpelling is how the attacker writes this host in what it stores, and no server does: so
// what it reads back of its own differs from what was revealed to it.
const localSpelling = "localhost"

func respelt(address string) string {
	return localSpelling + address[strings.LastIndex(address, ":"):]
}

func hostileNames(scene *Scene) []string {
	names := []string{
		"", "default", "*", ".", "..", "../..", "/", "\x00", "a/b", "gc_worker", "native_br", "tidb-mesh/nobody", "tidb-mesh/table/1",
		strings.Repeat("n", 33), strings.Repeat("n", 70_000), "http://" + respelt(scene.RealPD), respelt(scene.RealPD), respelt(scene.Engine), "http://" + respelt(scene.Engine),
		"/tidb-mesh/v1/tenants/", "/global/config", "/pd", "/", "DEFAULT", "SYSTEM", "t\xff", "global", "pd", "TiDB_GLOBAL", "TiDB_META",
	}
	for _, victim := range scene.victims() {
		names = append(names, "known", fmt.Sprintf("t%d_known", victim.ID), fmt.Sprintf("tidb-mesh/table/%d", victim.ID),
			fmt.Sprintf("tidb-mesh-data/%08x/known", victim.ID), respelt(victim.store()), respelt(victim.PD), "http://"+respelt(victim.PD),
			fmt.Sprintf("tidb-mesh/%08x", victim.ID), fmt.Sprintf("%d", victim.ID),
			// PD joins some names to paths of its etcd, and tidies the paths up.
			fmt.Sprintf("x/../t%d_known", victim.ID), fmt.Sprintf("../../tidb-mesh-data/%08x/known", victim.ID))
	}
	return names
}

func hostileNumbers(scene *Scene, foreign []place, now uint64) [][]byte {
	plain := []uint64{0, 1, 2, 3, 4, 1 << 31, 1<<32 - 1, 0xFFFFFE, 1<<63 - 1, 1 << 63, 1<<64 - 1, now, now + 1<<40}
	for _, owner := range slices.Sorted(maps.Keys(scene.Planted)) {
		planted := scene.Planted[owner]
		plain = append(plain, planted.RowTS, planted.LockTS)
		for _, lease := range planted.Leases {
			plain = append(plain, uint64(lease))
		}
	}
	for _, place := range foreign {
		plain = append(plain, place.region, place.peer, place.version)
	}
	for _, victim := range scene.victims() {
		plain = append(plain, uint64(victim.ID))
	}
	var out [][]byte
	for _, n := range plain {
		out = append(out, number(n))
	}
	return out
}

// victimValues is a value of the victim's own for each kind.
func victimValues(scene *Scene, victim Tenant, place place) map[string][]byte {
	key := physical(victim.ID, rowKey(knownTable, 9))
	values := map[string][]byte{
		kindKey: key, kindEncoded: memcomparable(key), kindPath: []byte(victim.etcdRoot() + "known"),
		kindName: []byte("known"), kindNumber: number(place.region),
	}
	if planted := scene.Planted[victim.Name]; planted != nil {
		values[kindNumber] = number(planted.LockTS)
	}
	return values
}

func texts(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, text := range list {
		out[i] = []byte(text)
	}
	return out
}

var payloadNames = []string{"value", "data", "bookmark", "resource_group_tag", "encoded_plan", "sql", "mvcc", "payload", "content", "encrypted"}

// kindOf tells a field's kind by type and name: the protocol's own descriptions say no more.
func (f *forger) kindOf(message string, field *fieldProto) string {
	name := field.GetName()
	etcd := strings.HasPrefix(message, "etcdserverpb.") || strings.HasPrefix(message, "mvccpb.") || strings.HasPrefix(message, "meta_storagepb.")
	switch field.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_BYTES:
		switch {
		case message == "coprocessor.Request" && name == "data":
			return kindPlan
		case etcd && (name == "key" || name == "range_end"):
			return kindPath
		case name == "service_id":
			return kindName
		case containsAny(name, payloadNames):
			return kindPayload
		case strings.HasPrefix(message, "pdpb.") || strings.HasPrefix(message, "metapb.") || strings.HasPrefix(message, "routerpb."):
			return kindEncoded
		default:
			return kindKey
		}
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return kindName
	case descriptorpb.FieldDescriptorProto_TYPE_BOOL, descriptorpb.FieldDescriptorProto_TYPE_ENUM:
		return kindChoice
	default:
		return kindNumber
	}
}

func containsAny(name string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// honestMessage tells which nested messages a usual request has.
func honestMessage(message string, field *fieldProto) bool {
	switch field.GetName() {
	case "context", "header", "region_epoch", "peer", "mutations", "ranges", "pairs", "keyspace_scope", "group", "requests", "param", "create_request":
		return message != "coprocessor.Request" || field.GetName() != "tasks"
	default:
		return false
	}
}

// honest is what the attacker's own TiDB would put into a field.
func (v *values) honest(message string, field *fieldProto, place place) ([]byte, bool) {
	name := field.GetName()
	numbers := map[string]uint64{
		"kvrpcpb.Context.region_id": place.region, "metapb.RegionEpoch.conf_ver": place.confVer,
		"metapb.RegionEpoch.version": place.version, "metapb.Peer.id": place.peer, "metapb.Peer.store_id": place.store,
		"cluster_id": v.cluster, "limit": 100, "lock_ttl": 3000, "ttl": 60, "TTL": 60, "count": 1, "tp": 103, "txn_size": 1,
		"max_version": 1<<63 - 1, "safe_point": v.now, "region_id": place.region, "lock_version": v.now, "keyspace_id": 0xFFFFFFFF,
		"start_ts": v.now, "start_version": v.now, "version": v.now, "for_update_ts": v.now, "commit_version": v.now + 1,
		"current_ts": v.now, "caller_start_ts": v.now, "is_first_lock": 1, "target": v.now, "barrier_ts": v.now, "advise_lock_ttl": 3000,
		"max_ts": 1<<63 - 1, "op": 0,
	}
	if n, ok := numbers[message+"."+name]; ok {
		return number(n), true
	}
	switch field.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_BYTES:
		return v.honestBytes(message, name)
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		known := name == "barrier_id" || name == "name" && strings.HasPrefix(message, "resource_manager.")
		return []byte("own"), known
	default:
		n, ok := numbers[name]
		if message == "kvrpcpb.Context" || message == "metapb.RegionEpoch" || message == "metapb.Peer" {
			return nil, false
		}
		return number(n), ok
	}
}

func (v *values) honestBytes(message, name string) ([]byte, bool) {
	encoded := func(key []byte) []byte {
		if strings.HasPrefix(message, "pdpb.") {
			return memcomparable(key)
		}
		return key
	}
	switch name {
	case "key", "keys", "start_key", "start", "primary", "primary_lock", "primary_key", "region_key", "split_keys", "prev_keys":
		if strings.HasPrefix(message, "etcdserverpb.") || strings.HasPrefix(message, "meta_storagepb.") {
			return []byte("/own"), true
		}
		return encoded(v.lowKey), true
	case "end_key", "end":
		return encoded(v.highKey), true
	case "value":
		return []byte("\x80own"), true
	case "service_id":
		return []byte("own"), true
	case "data":
		return v.byKind[kindPlan][0], message == "coprocessor.Request"
	default:
		return nil, false
	}
}
