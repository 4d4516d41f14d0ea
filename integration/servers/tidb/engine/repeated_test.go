package main

import (
	"context"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/stretchr/testify/require"
)

// txn sends the commands of one transaction, whose first key is the primary.
// Each call builds its request anew, as a client that sends it again does.
type txn struct {
	*bench
	start, forUpdate uint64
	keys             []string
	op               kvrpcpb.Op
	constrained      bool
	onePC, async     bool
}

func (x *txn) raw() (keys [][]byte) {
	for _, key := range x.keys {
		keys = append(keys, []byte(key))
	}
	return keys
}

func (x *txn) mutations(op kvrpcpb.Op) (ms []*kvrpcpb.Mutation) {
	for _, key := range x.keys {
		m := &kvrpcpb.Mutation{Op: op, Key: []byte(key)}
		if op == kvrpcpb.Op_Put {
			m.Value = []byte("v")
		}
		ms = append(ms, m)
	}
	return ms
}

func (x *txn) prewrite() *kvrpcpb.PrewriteResponse {
	x.t.Helper()
	req := &kvrpcpb.PrewriteRequest{
		Context: x.at(x.keys[0]), PrimaryLock: []byte(x.keys[0]), StartVersion: x.start, ForUpdateTs: x.forUpdate,
		LockTtl: 1, Mutations: x.mutations(x.op), TryOnePc: x.onePC, UseAsyncCommit: x.async,
	}
	if x.async {
		req.Secondaries = x.raw()[1:]
	}
	for i := range x.keys {
		if x.forUpdate > 0 {
			req.PessimisticActions = append(req.PessimisticActions, kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK)
		}
		if x.constrained {
			req.ForUpdateTsConstraints = append(req.ForUpdateTsConstraints,
				&kvrpcpb.PrewriteRequest_ForUpdateTSConstraint{Index: uint32(i), ExpectedForUpdateTs: x.forUpdate})
		}
	}
	resp := x.answer(context.Background(), &batchReq{Cmd: &tikvpb.BatchCommandsRequest_Request_Prewrite{Prewrite: req}}).GetPrewrite()
	require.NotNil(x.t, resp)
	require.Nil(x.t, resp.RegionError)
	return resp
}

func (x *txn) commit(ts uint64) *kvrpcpb.CommitResponse {
	x.t.Helper()
	resp, err := x.KvCommit(context.Background(), &kvrpcpb.CommitRequest{
		Context: x.at(x.keys[0]), StartVersion: x.start, CommitVersion: ts, Keys: x.raw(), PrimaryKey: []byte(x.keys[0]),
	})
	require.NoError(x.t, err)
	return resp
}

func (x *txn) rollBackAll() *kvrpcpb.KeyError {
	x.t.Helper()
	resp, err := x.KvBatchRollback(context.Background(), &kvrpcpb.BatchRollbackRequest{
		Context: x.at(x.keys[0]), StartVersion: x.start, Keys: x.raw(),
	})
	require.NoError(x.t, err)
	return resp.Error
}

func (x *txn) lockKeys(mode kvrpcpb.PessimisticLockWakeUpMode, values, existence bool) *kvrpcpb.PessimisticLockResponse {
	x.t.Helper()
	req := &kvrpcpb.PessimisticLockRequest{
		Context: x.at(x.keys[0]), PrimaryLock: []byte(x.keys[0]), StartVersion: x.start, ForUpdateTs: x.forUpdate, LockTtl: 1,
		Mutations: x.mutations(kvrpcpb.Op_PessimisticLock), WakeUpMode: mode, ReturnValues: values, CheckExistence: existence,
		WaitTimeout: -1, IsFirstLock: true,
	}
	resp := x.answer(context.Background(), &batchReq{Cmd: &tikvpb.BatchCommandsRequest_Request_PessimisticLock{PessimisticLock: req}}).GetPessimisticLock()
	require.NotNil(x.t, resp)
	require.Nil(x.t, resp.RegionError)
	return resp
}

const (
	normal = kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeNormal
	fair   = kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeForceLock
	second = 1 << 18 // in timestamps
)

func TestLockRepeatedAnswersTheSame(t *testing.T) {
	for name, old := range map[string]uint64{"in order": 11, "in spite of a conflict": 50} {
		for _, mode := range []kvrpcpb.PessimisticLockWakeUpMode{normal, fair} {
			for _, asked := range [][2]bool{{false, false}, {true, false}, {false, true}} {
				b := newBench(t)
				b.put("a", "old", 10, old)
				x := &txn{bench: b, start: 20, forUpdate: 30, keys: []string{"a"}}
				first := x.lockKeys(mode, asked[0], asked[1])
				require.Equal(t, first.String(), x.lockKeys(mode, asked[0], asked[1]).String(), "%s %v %v", name, mode, asked)
				require.Equal(t, mode == normal && old == 50, len(first.Errors) > 0)
			}
		}
	}
}

func TestLockIsNotTakenForATransactionThatHasEnded(t *testing.T) {
	for _, mode := range []kvrpcpb.PessimisticLockWakeUpMode{normal, fair} {
		for _, op := range []kvrpcpb.Op{kvrpcpb.Op_Put, kvrpcpb.Op_Lock} {
			b := newBench(t)
			x := &txn{bench: b, start: 20, forUpdate: 30, keys: []string{"a"}, op: op}
			require.Empty(t, x.lockKeys(mode, false, false).Errors)
			require.Empty(t, x.prewrite().Errors)
			require.NotEmpty(t, x.lockKeys(mode, false, false).Errors)
			require.Nil(t, x.commit(40).Error)
			x.forUpdate = 60
			x.lockKeys(mode, true, false)
			x.lockKeys(mode, false, true)
			y := *x
			y.keys = []string{"b"}
			y.rollBackAll()
			require.NotEmpty(t, y.lockKeys(mode, false, false).Errors)
			require.Empty(t, b.locks.held)
		}
	}
}

func TestPrewriteRepeatedAfterTheCommit(t *testing.T) {
	for _, op := range []kvrpcpb.Op{kvrpcpb.Op_Put, kvrpcpb.Op_Lock} {
		for _, shape := range []txn{
			{}, {onePC: true}, {async: true}, {onePC: true, async: true},
			{forUpdate: 30}, {forUpdate: 30, onePC: true, async: true}, {forUpdate: 30, constrained: true, async: true},
			{forUpdate: 30, constrained: true, onePC: true},
		} {
			b := newBench(t)
			x := shape
			x.bench, x.start, x.keys, x.op = b, 20, []string{"a", "b"}, op
			if x.forUpdate > 0 {
				require.Empty(t, x.lockKeys(normal, false, false).Errors)
			}
			first := x.prewrite()
			require.Empty(t, first.Errors)
			require.Equal(t, x.onePC, first.OnePcCommitTs > 0)
			if !x.onePC {
				require.Equal(t, first.String(), x.prewrite().String(), "before the commit")
				require.Nil(t, x.commit(max(40, first.MinCommitTs)).Error)
				require.Nil(t, x.commit(max(40, first.MinCommitTs)).Error)
			}
			before := b.dumped()
			again := x.prewrite()
			require.Equal(t, first.String(), again.String(), "%+v", shape)
			require.NotNil(t, x.rollBackAll(), "a committed transaction can't be rolled back")
			require.Equal(t, before, b.dumped())
			require.Empty(t, b.locks.held)
		}
	}
}

func TestPrewriteAfterTheRollback(t *testing.T) {
	for _, shape := range []txn{{}, {onePC: true}, {async: true}, {forUpdate: 30}, {forUpdate: 30, constrained: true, onePC: true}} {
		b := newBench(t)
		x := shape
		x.bench, x.start, x.keys, x.op = b, 20, []string{"a", "b"}, kvrpcpb.Op_Put
		require.Nil(t, x.rollBackAll())
		require.Nil(t, x.rollBackAll())
		for range 2 {
			resp := x.prewrite()
			require.Len(t, resp.Errors, 1)
			if x.forUpdate == 0 {
				require.Equal(t, kvrpcpb.WriteConflict_SelfRolledBack, resp.Errors[0].GetConflict().GetReason())
			} else {
				require.Equal(t, notLocked, resp.Errors[0].GetAbort())
			}
		}
		require.NotEmpty(t, x.commit(40).GetError().GetRetryable())
		require.Empty(t, b.locks.held)
	}
}

// A reader that finds a secondary key of an asynchronous commit not locked rolls
// it back there. Were it locked later, the client would report a commit.
func TestPrewriteOfARolledBackSecondary(t *testing.T) {
	b := newBench(t)
	x := &txn{bench: b, start: 20, keys: []string{"a"}, op: kvrpcpb.Op_Put, async: true}
	require.Empty(t, x.prewrite().Errors)
	b.rollBack("b", 20)
	req := &kvrpcpb.PrewriteRequest{
		Context: b.at("b"), PrimaryLock: []byte("a"), StartVersion: 20, LockTtl: 1, UseAsyncCommit: true,
		Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte("b")}},
	}
	resp, err := b.KvPrewrite(context.Background(), req)
	require.NoError(t, err)
	require.Len(t, resp.Errors, 1)
	require.Equal(t, kvrpcpb.WriteConflict_SelfRolledBack, resp.Errors[0].GetConflict().GetReason())
	require.Len(t, b.locks.held, 1)
}

func TestCommitRepeatedBelowANewerVersion(t *testing.T) {
	b := newBench(t)
	x := &txn{bench: b, start: 20, keys: []string{"a"}, op: kvrpcpb.Op_Put}
	require.Empty(t, x.prewrite().Errors)
	require.Nil(t, x.commit(25).Error)
	b.put("a", "newer", 30, 31)
	require.Nil(t, x.commit(40).Error, "the client's timestamp isn't the one that a reader has committed at")
	require.Empty(t, x.prewrite().Errors)
	require.Equal(t, "newer", b.get("a", 100))
}

// A reader has committed one key; the other is committed with the repetition.
func TestCommitRepeatedFinishesTheRest(t *testing.T) {
	b := newBench(t)
	locked := &txn{bench: b, start: 20, keys: []string{"a"}, op: kvrpcpb.Op_Lock}
	require.Empty(t, locked.prewrite().Errors)
	both := &txn{bench: b, start: 20, keys: []string{"a", "b"}}
	b.lockSecondary("b", "a", 20)
	require.Nil(t, locked.commit(25).Error)
	require.Nil(t, both.commit(25).Error)
	require.Empty(t, b.locks.held)
	require.Equal(t, "v", b.get("b", 30))
}

func (b *bench) lockSecondary(key, primary string, start uint64) {
	b.t.Helper()
	resp, err := b.KvPrewrite(context.Background(), &kvrpcpb.PrewriteRequest{
		Context: b.at(key), PrimaryLock: []byte(primary), StartVersion: start, LockTtl: 1,
		Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte(key), Value: []byte("v")}},
	})
	require.NoError(b.t, err)
	require.Empty(b.t, resp.Errors)
}

func TestStatusCheckedTwice(t *testing.T) {
	b := newBench(t)
	check := func(key string, start uint64) *kvrpcpb.CheckTxnStatusResponse {
		resp, err := b.KvCheckTxnStatus(context.Background(), &kvrpcpb.CheckTxnStatusRequest{
			Context: b.at(key), PrimaryKey: []byte(key), LockTs: start, CurrentTs: 100 * second, RollbackIfNotExist: true,
		})
		require.NoError(t, err)
		require.Nil(t, resp.Error)
		return resp
	}
	b.lock("expired", "v", 20)
	require.Equal(t, kvrpcpb.Action_TTLExpireRollback, check("expired", 20).Action)
	require.Equal(t, kvrpcpb.Action_LockNotExistRollback, check("missing", 20).Action)
	b.put("committed", "v", 20, 30)
	for range 2 {
		require.Zero(t, check("expired", 20).CommitVersion)
		require.Zero(t, check("missing", 20).CommitVersion)
		require.EqualValues(t, 30, check("committed", 20).CommitVersion)
	}
	for _, key := range []string{"expired", "missing"} {
		x := &txn{bench: b, start: 20, keys: []string{key}, op: kvrpcpb.Op_Put}
		require.NotNil(t, x.prewrite().Errors[0].GetConflict())
	}
}

func TestLocksResolvedAndRolledBackTwice(t *testing.T) {
	b := newBench(t)
	b.lock("a", "v", 20)
	x := &txn{bench: b, start: 40, forUpdate: 41, keys: []string{"p"}}
	require.Empty(t, x.lockKeys(normal, false, false).Errors)
	for range 2 {
		resp, err := b.KvResolveLock(context.Background(), &kvrpcpb.ResolveLockRequest{
			Context: b.at("a"), StartVersion: 20, CommitVersion: 30,
		})
		require.NoError(t, err)
		require.Nil(t, resp.Error)
		back, err := b.KVPessimisticRollback(context.Background(), &kvrpcpb.PessimisticRollbackRequest{
			Context: b.at("p"), StartVersion: 40, ForUpdateTs: 41, Keys: x.raw(),
		})
		require.NoError(t, err)
		require.Empty(t, back.Errors)
	}
	require.Equal(t, "v", b.get("a", 100))
	require.Empty(t, x.lockKeys(normal, false, false).Errors, "the transaction goes on")
}

func TestFailedCommandSaysSoInItsOwnResponse(t *testing.T) {
	key, ok := faultOf[*kvrpcpb.GetResponse]("why")
	require.True(t, ok)
	require.Equal(t, "why", key.Error.Abort)
	keys, ok := faultOf[*kvrpcpb.PrewriteResponse]("why")
	require.True(t, ok)
	require.Equal(t, "why", keys.Errors[0].Abort)
	_, ok = faultOf[*kvrpcpb.GetHealthFeedbackResponse]("why")
	require.False(t, ok)
}
