package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"completeness"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// perRPC is how many messages an RPC gets that answers some of them.
	perRPC = 64
	// probes is how many an RPC gets that refuses all of them: about one of each kind of wrong.
	probes = 15
	// callPatience bounds one call, and on a stream the wait for its first answer, so that a slow
	// machine's refusal is not taken for silence; after that a stream is quiet soon.
	callPatience  = 500 * time.Millisecond
	quietPatience = 40 * time.Millisecond
	// perHeader is with how many metadata an open RPC is called.
	perHeader = 12
	// progressEvery is how often a line tells where the attack is.
	progressEvery = 10 * time.Second
	// lanes is how many RPCs are attacked at a time.
	lanes = 8
)

// method is one RPC as its descriptor has it.
type method struct {
	path           string
	input          string
	client, server bool
}

// attacker calls everything it can from one tenant's addresses.
type attacker struct {
	scene   *Scene
	forger  *forger
	scan    *scanner
	report  *report
	pd      *grpc.ClientConn
	store   *grpc.ClientConn
	headers []metadata.MD
	// done counts finished jobs.
	done atomic.Int64
}

func newAttacker(scene *Scene, real *completeness.Protocol) (*attacker, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	own, err := connect(scene.attacker())
	if err != nil {
		return nil, err
	}
	home, err := own.placeOf(ctx, rowKey(knownTable, 1))
	if err != nil {
		return nil, err
	}
	direct, err := connect(scene.zero())
	if err != nil {
		return nil, err
	}
	var foreign []place
	for _, victim := range scene.victims() {
		for _, key := range [][]byte{rowKey(knownTable, 9), metaKey("Known")} {
			place, err := direct.placeOf(ctx, physical(victim.ID, key))
			if err != nil {
				return nil, err
			}
			foreign = append(foreign, place)
		}
	}
	now, err := own.timestamp(ctx)
	if err != nil {
		return nil, err
	}
	values := newValues(scene, home, foreign, own.cluster, now)
	return &attacker{scene: scene, forger: &forger{protocol: real, values: values}, scan: newScanner(scene), report: newReport(), pd: own.pd, store: own.store,
		headers: hostileHeaders(scene)}, nil
}

// hostileHeaders are metadata by which servers are told where to forward a call, or who calls.
func hostileHeaders(scene *Scene) []metadata.MD {
	var list []metadata.MD
	addresses := []string{scene.RealPD, "http://" + scene.RealPD, scene.Engine, "127.0.0.1:1", "", "..", "http://[::1]:1"}
	for _, victim := range scene.victims() {
		addresses = append(addresses, victim.PD, victim.store(), "http://"+victim.PD)
	}
	for _, address := range addresses {
		for _, name := range []string{"tikv-forwarded-host", "pd-forwarded-host"} {
			list = append(list, metadata.Pairs(name, address), metadata.Pairs(name, address, name, scene.Engine))
		}
	}
	for _, victim := range scene.victims() {
		list = append(list, metadata.Pairs("x-tenant", victim.Name), metadata.Pairs("authorization", "Bearer "+victim.Name),
			metadata.Pairs("tidb-mesh-tenant", victim.Name), metadata.Pairs("x-forwarded-host", victim.PD))
	}
	return append(list, metadata.Pairs("pd-allow-follower-handle", "true"), metadata.Pairs("hasleader", "true"),
		metadata.Pairs("tikv-batch-conn-index", "-1"), metadata.Pairs("x-caller-id", strings.Repeat("c", 5000)),
		metadata.Pairs("token", "root"), metadata.Pairs("grpc-encoding", "identity"))
}

// destructive RPCs come last, so that the others find something.
var destructive = []string{"DeleteRange", "DestroyRange", "Flashback", "KvGC", "Compact", "LeaseRevoke"}

func (a *attacker) methods() []method {
	var list []method
	for name, service := range a.forger.protocol.Services {
		for _, rpc := range service.GetMethod() {
			list = append(list, method{"/" + name + "/" + rpc.GetName(), strings.TrimPrefix(rpc.GetInputType(), "."), rpc.GetClientStreaming(), rpc.GetServerStreaming()})
		}
	}
	rank := func(m method) int {
		if slices.ContainsFunc(destructive, func(part string) bool { return strings.Contains(m.path, part) }) {
			return 1
		}
		return 0
	}
	slices.SortFunc(list, func(one, other method) int {
		if by := rank(one) - rank(other); by != 0 {
			return by
		}
		return strings.Compare(one.path, other.path)
	})
	return list
}

// run attacks every RPC on both ports, some at a time; the destructive ones after all others.
func (a *attacker) run() {
	watch := a.watchEverything()
	var jobs []func()
	var last []func()
	for _, m := range a.methods() {
		for _, port := range []*grpc.ClientConn{a.pd, a.store} {
			job := func() { a.rpc(m, port) }
			if slices.ContainsFunc(destructive, func(part string) bool { return strings.Contains(m.path, part) }) {
				last = append(last, job)
			} else {
				jobs = append(jobs, job)
			}
		}
	}
	commands := a.batchCommands()
	for _, command := range commands {
		jobs = append(jobs, func() { a.batch(command) })
	}
	jobs = append(jobs, a.unlisted, a.batchFrames, a.http2, a.otherAuthority)
	jobs = append(jobs, a.httpJobs()...)
	// Kinds of calls meet each other, and the slow ones aren't all at once.
	a.rng("order").Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	stop := a.tellProgress(len(jobs) + len(last))
	a.inLanes(jobs)
	a.inLanes(last)
	watch()
	stop()
}

// tellProgress prints where the attack is, until it is stopped.
func (a *attacker) tellProgress(jobs int) (stop func()) {
	began, every, done := time.Now(), time.NewTicker(progressEvery), make(chan struct{})
	tell := func() {
		fmt.Printf("attack with seed %d: %d of %d jobs done after %.0f s: %s\n", a.scene.Seed, a.done.Load(), jobs, time.Since(began).Seconds(), a.report.progress())
	}
	go func() {
		for {
			select {
			case <-every.C:
				tell()
			case <-done:
				return
			}
		}
	}()
	return func() {
		every.Stop()
		close(done)
		tell()
	}
}

func (a *attacker) inLanes(jobs []func()) {
	queue := make(chan func())
	var busy sync.WaitGroup
	for range lanes {
		busy.Add(1)
		go func() {
			defer busy.Done()
			for job := range queue {
				job()
				a.done.Add(1)
			}
		}()
	}
	for _, job := range jobs {
		queue <- job
	}
	close(queue)
	busy.Wait()
}

// rng depends on the seed and on the name alone, not on what runs beside.
func (a *attacker) rng(name string) *rand.Rand {
	sum := fnv.New64a()
	io.WriteString(sum, name)
	return rand.New(rand.NewPCG(a.scene.Seed, sum.Sum64()))
}

func (a *attacker) rpc(m method, port *grpc.ClientConn) {
	name := m.path + a.portName(port)
	defer a.report.took(name, time.Now())
	attempts := a.forger.attempts(m.input, perRPC, a.rng(name))
	open := false
	for i, attempt := range attempts {
		if i >= probes && !open {
			break
		}
		open = a.send(name, m, port, nil, attempt) || open
	}
	honest := attempts[0]
	count := 3
	if open {
		count = perHeader
	}
	for _, i := range a.rng("metadata " + name).Perm(len(a.headers))[:count] {
		told := attempt{"metadata", "", fmt.Sprint("metadata ", a.headers[i]), honest.forge}
		a.send(name, m, port, a.headers[i], told)
	}
}

func (a *attacker) portName(port *grpc.ClientConn) string {
	if port == a.pd {
		return " @pd"
	}
	return " @store"
}

// send makes one call and judges the answer. It tells whether the RPC is open at all.
func (a *attacker) send(name string, m method, port *grpc.ClientConn, header metadata.MD, attempt attempt) bool {
	wire := attempt.forge()
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), header), callPatience)
	defer cancel()
	var trailer, heads metadata.MD
	var answers [][]byte
	var err error
	if m.client || m.server {
		answers, err = exchange(ctx, port, m, wire)
	} else {
		var answer []byte
		err = port.Invoke(ctx, m.path, wire, &answer, grpc.Trailer(&trailer), grpc.Header(&heads))
		answers = [][]byte{answer}
	}
	told := []byte(fmt.Sprint(status.Convert(err).Message(), status.Convert(err).Details(), trailer, heads))
	for _, answer := range answers {
		told = append(append(told, '\n'), answer...)
	}
	sent := append([]byte(fmt.Sprint(header)), wire...)
	a.judge(name, attempt.why, told, sent)
	code := status.Code(err)
	if (code == codes.DeadlineExceeded || code == codes.Canceled) && len(answers) > 0 {
		code = codes.OK
	}
	a.report.count(name, attempt.kind, code)
	return code != codes.PermissionDenied && code != codes.Unimplemented
}

func (a *attacker) judge(name, why string, answer, sent []byte) {
	for _, leak := range a.scan.leaks(answer, sent) {
		a.report.leak(name, fmt.Sprintf("%s (%s) reveals %s in %.300q", name, why, leak, answer))
	}
}

// exchange sends one message on a stream and reads what comes until it is quiet.
func exchange(ctx context.Context, port *grpc.ClientConn, m method, wire []byte) ([][]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	description := &grpc.StreamDesc{ClientStreams: m.client, ServerStreams: m.server}
	stream, err := port.NewStream(ctx, description, m.path)
	if err != nil {
		return nil, err
	}
	if err = stream.SendMsg(wire); err != nil && err != io.EOF {
		return nil, err
	}
	if !m.client || !m.server {
		stream.CloseSend()
	}
	var answers [][]byte
	for {
		var answer []byte
		if err = stream.RecvMsg(&answer); err != nil {
			if err == io.EOF {
				err = nil
			}
			return answers, err
		}
		answers = append(answers, answer)
		time.AfterFunc(quietPatience, cancel)
		if m.path == tsoPath || m.client && len(answers) >= 1 && !strings.Contains(m.path, "Watch") {
			return answers, nil
		}
	}
}

const tsoPath = "/pdpb.PD/Tso"

// unlisted calls services that are in none of the protocols' descriptors.
func (a *attacker) unlisted() {
	for _, path := range []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"/grpc.channelz.v1.Channelz/GetServers", "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/List", "/grpc.health.v1.Health/Check",
		"/etcdserverpb.KV/range", "/etcdserverpb.kv/Range", "/pdpb.PD/getmembers", "/pdpb.PD//GetMembers", "/pdpb.PD/GetMembers/", "//pdpb.PD/GetMembers",
		"/pdpb.PD/GetMembers?x=1", "/pdpb.PD/../etcdserverpb.Maintenance/Snapshot", "/etcdserverpb.Maintenance%2FSnapshot", "/v3lockpb.Lock/Lock", "/v3electionpb.Election/Leader",
		"/", "/x", "/admin/v1/tenants", "/v1/tenants", "/mesh.Admin/Tenants", "/tikvpb.Tikv/", "/tikvpb.Tikv/KvGet ", "/" + strings.Repeat("p", 5000) + "/x",
	} {
		for _, port := range []*grpc.ClientConn{a.pd, a.store} {
			for _, body := range [][]byte{nil, field(7, nil), field(3, []byte("tikvpb.Tikv")), field(1, []byte("tikv"))} {
				told := attempt{"no RPC of the protocols", "", path, func() []byte { return body }}
				a.send("unlisted"+a.portName(port), method{path: path}, port, nil, told)
			}
		}
	}
}

// otherAuthority calls with another tenant's, the storage's or no sane :authority.
func (a *attacker) otherAuthority() {
	names := []string{a.scene.RealPD, a.scene.Engine, "localhost", "pd.example", "store-1.example", "..", "admin"}
	for _, victim := range a.scene.victims() {
		names = append(names, victim.PD, victim.store(), "pd."+victim.Name, "store-1."+victim.Name+".mesh")
	}
	for _, name := range names {
		for port, address := range map[string]string{" @pd": a.scene.attacker().PD, " @store": a.scene.attacker().store()} {
			conn, err := dial(address, grpc.WithAuthority(name))
			if err != nil {
				continue
			}
			for _, m := range a.methods() {
				if slices.Contains([]string{"GetMembers", "GetRegion", "ScanRegions", "Range", "KvGet", "KvScan", "MemberList"}, m.path[strings.LastIndex(m.path, "/")+1:]) {
					for _, attempt := range a.forger.attempts(m.input, 12, a.rng(name+m.path))[:3] {
						attempt.kind, attempt.why = "authority", "authority "+name+" "+attempt.why
						a.send("authority"+port, m, conn, nil, attempt)
					}
				}
			}
			conn.Close()
		}
	}
}
