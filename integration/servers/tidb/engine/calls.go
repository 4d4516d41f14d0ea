package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/tidb/pkg/kv"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// calls counts what the engine was asked, so that a test can prove what never
// reached it. Requests that end an unmodified TiKV for what is in them have
// names of their own.
type calls struct{ counts sync.Map }

func (c *calls) note(name any) {
	count, known := c.counts.Load(name)
	if !known {
		count, _ = c.counts.LoadOrStore(name, new(atomic.Uint64))
	}
	count.(*atomic.Uint64).Add(1)
}

func (c *calls) noteUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	c.note(info.FullMethod)
	c.noteDeadly(req)
	return handle(ctx, req)
}

func (c *calls) noteStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	c.note(info.FullMethod)
	return handle(srv, stream)
}

func (c *calls) noteCommand(req *batchReq) {
	if req.GetCmd() == nil {
		c.note("a batch's command of no known kind")
		return
	}
	c.note(reflect.TypeOf(req.GetCmd()))
	c.noteDeadly(req.GetCoprocessor())
}

func (c *calls) noteDeadly(req any) {
	switch req := req.(type) {
	case *kvrpcpb.UnsafeDestroyRangeRequest:
		if len(req.GetStartKey()) == 0 || len(req.GetEndKey()) == 0 {
			c.note("UnsafeDestroyRange without a bound")
		}
	case *coprocessor.Request:
		if req.GetTp() == kv.ReqTypeAnalyze && analyzeType(req.GetData()) == 3 {
			c.note("Analyze of type 3")
		}
	}
}

// analyzeType is the first field of an analyze request; the last one given counts.
func analyzeType(plan []byte) (kind uint64) {
	for len(plan) > 0 {
		number, wire, n := protowire.ConsumeTag(plan)
		if n < 0 {
			return kind
		}
		size := protowire.ConsumeFieldValue(number, wire, plan[n:])
		if size < 0 {
			return kind
		}
		if number == 1 && wire == protowire.VarintType {
			kind, _ = protowire.ConsumeVarint(plan[n:])
		}
		plan = plan[n+size:]
	}
	return kind
}

func (n *node) serveCalls(w http.ResponseWriter, _ *http.Request) {
	counted := map[string]uint64{}
	n.store.calls.counts.Range(func(name, count any) bool {
		counted[fmt.Sprint(name)] = count.(*atomic.Uint64).Load()
		return true
	})
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(counted)
}
