package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
)

// Paths of PD's HTTP API, as its router and its client have them; {…} is filled with values of the
// kind. None may do more for a tenant than TiDB's own calls need.
var pdPaths = []string{
	"members", "leader", "health", "ping", "version", "status", "cluster", "cluster/status", "min-resolved-ts", "min-resolved-ts/{number}", "stores", "store/{number}",
	"store/{number}/label", "store/{number}/state", "store/{number}/weight", "store/{number}/limit", "stores/limit", "stores/remove-tombstone", "stores/progress", "stores/check",
	"region/id/{number}", "region/key/{key}", "region/id/{number}/labels", "region/id/{number}/label/{name}", "regions", "regions/key", "regions/count", "regions/store/{number}",
	"regions/keyspace/id/{number}", "regions/sibling/{number}", "regions/replicated", "regions/check/{name}", "regions/check/empty-region", "regions/check/hist-size", "regions/check/hist-keys",
	"regions/accelerate-schedule", "regions/accelerate-schedule/batch", "regions/split", "regions/scatter", "regions/writeflow", "regions/readflow", "regions/confver", "regions/version",
	"regions/size", "regions/keys", "regions/cpu", "regions/range-holes", "stats/region", "hotspot/regions/read", "hotspot/regions/write", "hotspot/regions/history", "hotspot/stores", "hotspot/buckets",
	"config", "config/schedule", "config/pd-server", "config/replicate", "config/cluster-version", "config/default", "config/label-property", "config/replication-mode", "config/store",
	"config/rules", "config/rules/batch", "config/rules/group/{name}", "config/rules/region/{number}", "config/rules/region/{number}/detail", "config/rules/key/{hex}", "config/rule", "config/rule/{name}/{name}",
	"config/rule_group", "config/rule_group/{name}", "config/rule_groups", "config/placement-rule", "config/placement-rule/{name}",
	"config/region-label/rules", "config/region-label/rules/ids", "config/region-label/rule", "config/region-label/rule/{name}",
	"schedulers", "schedulers/{name}", "schedulers/diagnostic/{name}", "scheduler-config", "scheduler-config/{name}/list", "checker/{name}",
	"operators", "operators/{number}", "operators/records", "admin/cache/region/{number}", "admin/cache/regions", "admin/reset-ts", "admin/persist-file/{name}", "admin/log",
	"admin/cluster/markers/snapshot-recovering", "admin/base-alloc-id", "admin/unsafe/remove-failed-stores", "admin/unsafe/remove-failed-stores/show", "admin/replication_mode/wait-async",
	"admin/service-middleware", "service-middleware/config", "gc/safepoint", "gc/safepoint/{name}", "tso/allocator/transfer/{name}", "trend", "log", "labels", "labels/stores", "replication_mode/status",
	"component", "plugin", "members/name/{name}", "members/id/{number}", "leader/resign", "leader/transfer/{name}", "dashboard", "debug/pprof/heap", "debug/pprof/goroutine", "debug/pprof/zip", "config/{name}",
}

var otherPaths = []string{
	"/pd/api/v2/keyspaces", "/pd/api/v2/keyspaces/{name}", "/pd/api/v2/keyspaces/id/{number}", "/pd/api/v2/keyspaces/{name}/config", "/pd/api/v2/keyspaces/{name}/state", "/pd/api/v2/affinity-groups",
	"/pd/api/v2/affinity-groups/{name}", "/pd/api/v2/ms/members/{name}", "/pd/api/v2/ms/primary/{name}", "/pd/api/v2/ms/primary/transfer/{name}", "/pd/api/v2/ready", "/pd/api/v2/members", "/pd/api/v2/tso-keyspace-groups",
	"/", "/metrics", "/health", "/version", "/debug/vars", "/debug/pprof/", "/dashboard/", "/autoscaling", "/pd/apis/diagnose", "/resource-manager/api/v1/config", "/resource-manager/api/v1/config/group/{name}",
	"/resource-manager/api/v1/config/groups", "/v3/kv/range", "/v3/kv/put", "/v3/maintenance/snapshot", "/v3/watch", "/v3/lease/leases", "/v3beta/kv/range", "/v2/keys", "/v2/keys/{name}", "/v2/members", "/swagger/", "/tso/api/v1/admin/reset-ts",
	"/v1/tenants", "/v1/tenants/{name}", "/ready", "/live", "/dump", "/status", "/scheduling/api/v1/operators", "/pd/ping", "/pd/health",
}

// twists are ways in which a path can be written so that two readers may read it differently.
var twists = []func(string) string{
	func(p string) string { return "/pd/api/v1/ping/.." + strings.TrimPrefix(p, "/pd/api/v1") },
	func(p string) string { return strings.Replace(p, "/pd/", "/pd/../pd/", 1) },
	func(p string) string { return strings.Replace(p, "/api/", "/api%2f", 1) },
	func(p string) string { return strings.Replace(p, "/v1/", "/v1//", 1) },
	func(p string) string { return "/" + p },
	func(p string) string { return p + "/" },
	func(p string) string { return p + "%2f..%2f..%2fadmin" },
	func(p string) string { return p + ";x=1" },
	func(p string) string { return p + "%00" },
	func(p string) string { return strings.Replace(p, "/v1/", "/V1/", 1) },
	func(p string) string { return strings.Replace(p, "/v1/", "/v1/./", 1) },
	func(p string) string { return strings.Replace(p, "/v1/", "/v1/%2e%2e/v1/", 1) },
	func(p string) string { return p + "?x=/../admin" },
	func(p string) string { return p + "#x" },
	func(p string) string { return "http://127.0.0.1" + p },
}

// httpJobs attack PD's REST API, a path each, written by hand so that nothing is tidied up on the way.
func (a *attacker) httpJobs() []func() {
	jobs := []func(){a.strangeHeaders}
	for _, path := range append(prefixed("/pd/api/v1/", pdPaths), otherPaths...) {
		jobs = append(jobs, func() { a.httpPath(path) })
	}
	return jobs
}

// perPath bounds the values and bodies that a path is tried with.
const perPath = 5

func (a *attacker) httpPath(path string) {
	defer a.report.took("HTTP "+path, time.Now())
	rng := a.rng(path)
	filled := a.filled(path)
	for _, i := range rng.Perm(len(filled))[:min(len(filled), perPath)] {
		a.request(path, "value in the path", "GET", filled[i], nil, "")
		a.request(path, "value in the path", "DELETE", filled[i], nil, "")
	}
	bodies := a.bodies(path)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "GET"} {
		a.request(path, "method", method, filled[0], bodies[0], "")
	}
	for _, i := range rng.Perm(len(twists))[:perPath] {
		a.request(path, "twisted path", "GET", twists[i](filled[0]), nil, "")
	}
	if takesBodies.MatchString(path) {
		for _, body := range bodies {
			a.request(path, "body", "POST", filled[rng.IntN(len(filled))], body, "")
		}
		for _, i := range rng.Perm(len(bodies))[:perPath] {
			a.request(path, "body", "PATCH", filled[0], bodies[i], "")
		}
	}
	queries := a.queries()
	for _, i := range rng.Perm(len(queries))[:perPath] {
		a.request(path, "query", "GET", filled[0]+"?"+queries[i], nil, "")
	}
}

// takesBodies are the paths at which PD reads one.
var takesBodies = regexp.MustCompile("rule|label|accelerate|hotspot/regions/history|affinity|schedulers$|config$|v3/kv")

func (a *attacker) strangeHeaders() {
	for _, header := range a.httpHeaders() {
		for _, path := range []string{"members", "stores", "regions", "config", "config/rules", "leader"} {
			a.request("/pd/api/v1/"+path, "header", "GET", "/pd/api/v1/"+path, nil, header)
		}
	}
}

func prefixed(prefix string, paths []string) []string {
	out := make([]string, len(paths))
	for i, path := range paths {
		out[i] = prefix + path
	}
	return out
}

// filled replaces the placeholders by values of victims, of nobody, and of no sane form.
func (a *attacker) filled(path string) []string {
	if !strings.Contains(path, "{") {
		return []string{path}
	}
	var out []string
	keys, names := a.forger.values.of(kindEncoded), hostileNames(a.scene)
	for _, victim := range a.scene.victims() {
		names = append(names, "g-known", fmt.Sprintf("tidb-mesh-data:%08x:g-known", victim.ID), fmt.Sprintf("tidb-mesh-data/%08x/schema/known", victim.ID), "schema/known")
	}
	for _, victim := range a.scene.victims() {
		names = append(names, fmt.Sprintf("../%08x/schema/known", victim.ID), "../../../../../tidb-mesh/v1/tenants/"+victim.Name)
	}
	numbers := []string{"1", "0", "-1", "18446744073709551616", "%31", "1/../2", "4294967295"}
	for _, place := range a.forger.values.everywhere {
		numbers = append(numbers, fmt.Sprint(place.region))
	}
	for i := range max(len(keys), len(names), len(numbers)) {
		target := strings.ReplaceAll(path, "{name}", url.PathEscape(cut(names[i%len(names)])))
		target = strings.ReplaceAll(target, "{number}", numbers[i%len(numbers)])
		target = strings.ReplaceAll(target, "{hex}", hex.EncodeToString([]byte(cut(string(keys[i%len(keys)])))))
		out = append(out, strings.ReplaceAll(target, "{key}", url.QueryEscape(cut(string(keys[i%len(keys)])))))
	}
	return out
}

func cut(text string) string { return text[:min(len(text), 2000)] }

// queries are bounds of victims, twice and in several forms.
func (a *attacker) queries() []string {
	list := []string{"format=hex&key=&end_key=", "limit=-1", "limit=99999999", "key=&key=%00", "store=1&store=2", "all=true", "scope=cluster", "scope=..", "partial=false", "force=true"}
	for _, victim := range a.scene.victims() {
		low := memcomparable(physical(victim.ID, rowKey(knownTable, 1)))
		high := memcomparable(physical(victim.ID, rowKey(knownTable, 99)))
		for _, names := range [][2]string{{"key", "end_key"}, {"start_key", "end_key"}, {"startKey", "endKey"}} {
			raw := fmt.Sprintf("%s=%s&%s=%s", names[0], url.QueryEscape(string(low)), names[1], url.QueryEscape(string(high)))
			inHex := fmt.Sprintf("format=hex&%s=%x&%s=%x", names[0], low, names[1], high)
			list = append(list, raw, inHex, raw+"&"+inHex, names[0]+"=&"+raw, raw+"&"+names[1]+"=", names[0]+"="+url.QueryEscape(string(high)))
		}
	}
	return list
}

// bodies are JSON documents that name others' rules, ranges and regions.
func (a *attacker) bodies(path string) [][]byte {
	list := []string{`{}`, `[]`, `null`, `{`, `"x"`, strings.Repeat("[", 10_000), `{"partial":false}`, `[{"group_id":"pd","id":"default","role":"voter","count":1,"start_key":"","end_key":""}]`,
		`{"group_id":"pd","id":"default","role":"voter","count":5,"start_key":"","end_key":""}`, `{"group_id":"TiDB_GLOBAL","group_index":1000,"group_override":true,"rules":[{"group_id":"TiDB_GLOBAL","id":"x","role":"voter","count":3,"start_key":"","end_key":""}]}`,
		`[{"action":"del","group_id":"","id":"","delete_by_id_prefix":true}]`, `[{"action":"del","group_id":"pd","id":"","delete_by_id_prefix":true}]`, `{"id":"pd","index":9,"override":true}`,
		`{"sets":[],"deletes":["keyspaces/0"]}`, `["schema/known"]`, `{"name":"evict-leader-scheduler","store_id":1}`, `{"max-replicas":1}`, `{"tso":"1"}`, `{"start_key":"","end_key":""}`, `[{"start_key":"","end_key":""}]`}
	for _, victim := range a.scene.victims() {
		low := memcomparable(physical(victim.ID, rowKey(knownTable, 1)))
		high := memcomparable(physical(victim.ID, rowKey(knownTable, 99)))
		group := fmt.Sprintf("tidb-mesh-data:%08x:g-known", victim.ID)
		label := fmt.Sprintf("tidb-mesh-data/%08x/schema/known", victim.ID)
		list = append(list,
			fmt.Sprintf(`{"group_id":%q,"id":"known","start_key":"%x","end_key":"%x","role":"learner","count":1}`, group, low, high),
			fmt.Sprintf(`[{"action":"del","group_id":%q,"id":"known"}]`, group),
			fmt.Sprintf(`{"id":%q,"rule_type":"key-range","labels":[{"key":"schedule","value":"deny"}],"data":[{"start_key":"%x","end_key":"%x"}]}`, label, low, high),
			traversal("../%08x/schema/known", victim), traversal("../../../../../tidb-mesh/v1/tenants/"+victim.Name+"%.0s", victim),
			traversal("x/../../%08x/schema/known", victim), fmt.Sprintf(`{"sets":[%s],"deletes":["../%08x/schema/known"]}`, traversal("../%08x/schema/known", victim), victim.ID),
			fmt.Sprintf(`{"sets":[],"deletes":[%q,"schema/known"]}`, label), fmt.Sprintf(`[%q]`, label),
			fmt.Sprintf(`{"start_key":"%x","end_key":"%x"}`, low, high), fmt.Sprintf(`[{"start_key":"%x","end_key":"%x"}]`, low, high))
	}
	bodies := texts(list)
	if strings.Contains(path, "hotspot") {
		bodies = append(bodies, []byte(`{"start_time":0,"end_time":99999999999999,"hot_region_types":["read","write"]}`))
	}
	return bodies
}

// traversal is a label rule whose name leads to a victim's key, should a path be made of it.
func traversal(name string, victim Tenant) string {
	return fmt.Sprintf(`{"id":%q,"rule_type":"key-range","labels":[{"key":"k","value":"v"}],"data":[{"start_key":"%x","end_key":"%x"}]}`,
		fmt.Sprintf(name, victim.ID), memcomparable(rowKey(knownTable, 1)), memcomparable(rowKey(knownTable, 2)))
}

func (a *attacker) httpHeaders() []string {
	var list []string
	for _, victim := range a.scene.victims() {
		list = append(list, "Host: "+victim.PD, "X-Forwarded-Host: "+victim.PD, "PD-Redirector: x", "X-Tenant: "+victim.Name)
	}
	return append(list, "PD-Allow-Follower-Handle: true", "X-Caller-ID: x", "X-Forbidden-Forward-To-Microservice: true", "Content-Type: application/grpc", "Upgrade: h2c", "Upgrade: websocket",
		"Expect: 100-continue", "Transfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6", "Authorization: Bearer x", "Host: "+a.scene.RealPD)
}

// request sends one request on a connection of its own and judges all that comes back.
func (a *attacker) request(path, kind, method, target string, body []byte, header string) {
	name := "HTTP " + path
	conn, err := net.DialTimeout("tcp", a.scene.attacker().PD, callPatience)
	if err != nil {
		a.report.count(name, kind, codes.Unavailable)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(callPatience))
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n", method, target, len(body))
	if header != "" {
		head += header + "\r\n"
	}
	sent := append([]byte(head+"\r\n"), body...)
	go conn.Write(sent)
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		a.report.count(name, kind, codes.Unavailable)
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	told := &bytes.Buffer{}
	answer.Header.Write(told)
	told.Write(text)
	a.judge(name, method+" "+cut(target)+" "+string(body[:min(len(body), 200)])+" "+header, told.Bytes(), unescapedToo(sent))
	a.report.count(name, kind, httpCode(answer.StatusCode))
}

// unescapedToo adds what was sent in its other forms, so that an echo is known as one.
func unescapedToo(sent []byte) []byte {
	plain, err := url.QueryUnescape(string(sent))
	if err != nil {
		plain = ""
	}
	return append(append(sent, plain...), hex.EncodeToString([]byte(plain))...)
}

func httpCode(code int) codes.Code {
	switch {
	case code < 300:
		return codes.OK
	case code < 500:
		return codes.PermissionDenied
	default:
		return codes.Unavailable
	}
}

// http2 sends what is HTTP/2 and no gRPC, or gRPC of another kind.
func (a *attacker) http2() {
	transport := &http2.Transport{AllowHTTP: true, DialTLS: func(network, address string, _ *tls.Config) (net.Conn, error) {
		return net.DialTimeout(network, address, callPatience)
	}}
	caller := &http.Client{Transport: transport, Timeout: callPatience}
	types := []string{"application/json", "application/grpc-web", "application/grpc+json", "application/grpc+proto", "application/grpcx", "text/plain", "", "APPLICATION/GRPC"}
	targets := []string{"/tikvpb.Tikv/KvGet", "/pdpb.PD/GetMembers", "/etcdserverpb.KV/Range", "/pd/api/v1/members", "/pd/api/v1/regions", "/pd/api/v1/config/rules", "/v3/kv/range", "/metrics"}
	for _, address := range []string{a.scene.attacker().PD, a.scene.attacker().store()} {
		for _, target := range targets {
			for _, kind := range types {
				for _, method := range []string{"GET", "POST", "PUT", "CONNECT"} {
					a.overHTTP2(caller, method, "http://"+address+target, kind)
				}
			}
		}
	}
}

func (a *attacker) overHTTP2(caller *http.Client, method, target, kind string) {
	body := append([]byte{0, 0, 0, 0, 2}, field(1, nil)...)
	request, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("TE", "trailers")
	answer, err := caller.Do(request)
	if err != nil {
		a.report.count("HTTP/2 "+method, "content type", codes.Unavailable)
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	told := bytes.NewBuffer(text)
	answer.Header.Write(told)
	answer.Trailer.Write(told)
	a.judge("HTTP/2 "+method+" "+target, kind, told.Bytes(), []byte(target))
	a.report.count("HTTP/2 "+method, "content type", httpCode(answer.StatusCode))
}
