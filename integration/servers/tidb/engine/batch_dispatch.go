package main

import (
	"context"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
)

// dispatch calls the method of a command. One case for each command of the
// protocol; the type parameters pair its request with its response. A command
// of a newer protocol arrives without a type and gets no answer of its own.
//
//nolint:funlen // a table
func (s *service) dispatch(ctx context.Context, req *batchReq) (resp *batchResp, err error) {
	defer rescue("BatchCommands", &err)
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch cmd := req.GetCmd().(type) {
	case *tikvpb.BatchCommandsRequest_Request_Get:
		return serveOne(ctx, cmd.Get, s.KvGet, func(r *kvrpcpb.GetResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Get{Get: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Scan:
		return serveOne(ctx, cmd.Scan, s.KvScan, func(r *kvrpcpb.ScanResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Scan{Scan: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Prewrite:
		return serveOne(ctx, cmd.Prewrite, s.KvPrewrite, func(r *kvrpcpb.PrewriteResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Prewrite{Prewrite: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Commit:
		return serveOne(ctx, cmd.Commit, s.KvCommit, func(r *kvrpcpb.CommitResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Commit{Commit: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Import:
		return serveOne(ctx, cmd.Import, s.KvImport, func(r *kvrpcpb.ImportResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Import{Import: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Cleanup:
		return serveOne(ctx, cmd.Cleanup, s.KvCleanup, func(r *kvrpcpb.CleanupResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Cleanup{Cleanup: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_BatchGet:
		return serveOne(ctx, cmd.BatchGet, s.KvBatchGet, func(r *kvrpcpb.BatchGetResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_BatchGet{BatchGet: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_BatchRollback:
		return serveOne(ctx, cmd.BatchRollback, s.KvBatchRollback, func(r *kvrpcpb.BatchRollbackResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_BatchRollback{BatchRollback: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_ScanLock:
		return serveOne(ctx, cmd.ScanLock, s.KvScanLock, func(r *kvrpcpb.ScanLockResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_ScanLock{ScanLock: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_ResolveLock:
		return serveOne(ctx, cmd.ResolveLock, s.KvResolveLock, func(r *kvrpcpb.ResolveLockResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_ResolveLock{ResolveLock: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_GC:
		return serveOne(ctx, cmd.GC, s.KvGC, func(r *kvrpcpb.GCResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_GC{GC: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_DeleteRange:
		return serveOne(ctx, cmd.DeleteRange, s.KvDeleteRange, func(r *kvrpcpb.DeleteRangeResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_DeleteRange{DeleteRange: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawGet:
		return serveOne(ctx, cmd.RawGet, s.RawGet, func(r *kvrpcpb.RawGetResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawGet{RawGet: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawBatchGet:
		return serveOne(ctx, cmd.RawBatchGet, s.RawBatchGet, func(r *kvrpcpb.RawBatchGetResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawBatchGet{RawBatchGet: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawPut:
		return serveOne(ctx, cmd.RawPut, s.RawPut, func(r *kvrpcpb.RawPutResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawPut{RawPut: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawBatchPut:
		return serveOne(ctx, cmd.RawBatchPut, s.RawBatchPut, func(r *kvrpcpb.RawBatchPutResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawBatchPut{RawBatchPut: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawDelete:
		return serveOne(ctx, cmd.RawDelete, s.RawDelete, func(r *kvrpcpb.RawDeleteResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawDelete{RawDelete: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawBatchDelete:
		return serveOne(ctx, cmd.RawBatchDelete, s.RawBatchDelete, func(r *kvrpcpb.RawBatchDeleteResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawBatchDelete{RawBatchDelete: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawScan:
		return serveOne(ctx, cmd.RawScan, s.RawScan, func(r *kvrpcpb.RawScanResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawScan{RawScan: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawDeleteRange:
		return serveOne(ctx, cmd.RawDeleteRange, s.RawDeleteRange, func(r *kvrpcpb.RawDeleteRangeResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawDeleteRange{RawDeleteRange: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawBatchScan:
		return serveOne(ctx, cmd.RawBatchScan, s.RawBatchScan, func(r *kvrpcpb.RawBatchScanResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawBatchScan{RawBatchScan: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Coprocessor:
		return serveOne(ctx, cmd.Coprocessor, s.Coprocessor, func(r *coprocessor.Response) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Coprocessor{Coprocessor: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_PessimisticLock:
		return serveOne(ctx, cmd.PessimisticLock, s.KvPessimisticLock, func(r *kvrpcpb.PessimisticLockResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_PessimisticLock{PessimisticLock: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_PessimisticRollback:
		return serveOne(ctx, cmd.PessimisticRollback, s.KVPessimisticRollback, func(r *kvrpcpb.PessimisticRollbackResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_PessimisticRollback{PessimisticRollback: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_CheckTxnStatus:
		return serveOne(ctx, cmd.CheckTxnStatus, s.KvCheckTxnStatus, func(r *kvrpcpb.CheckTxnStatusResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_CheckTxnStatus{CheckTxnStatus: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_TxnHeartBeat:
		return serveOne(ctx, cmd.TxnHeartBeat, s.KvTxnHeartBeat, func(r *kvrpcpb.TxnHeartBeatResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_TxnHeartBeat{TxnHeartBeat: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_CheckSecondaryLocks:
		return serveOne(ctx, cmd.CheckSecondaryLocks, s.KvCheckSecondaryLocks, func(r *kvrpcpb.CheckSecondaryLocksResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_CheckSecondaryLocks{CheckSecondaryLocks: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_RawCoprocessor:
		return serveOne(ctx, cmd.RawCoprocessor, s.RawCoprocessor, func(r *kvrpcpb.RawCoprocessorResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_RawCoprocessor{RawCoprocessor: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_FlashbackToVersion:
		return serveOne(ctx, cmd.FlashbackToVersion, s.KvFlashbackToVersion, func(r *kvrpcpb.FlashbackToVersionResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_FlashbackToVersion{FlashbackToVersion: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_PrepareFlashbackToVersion:
		return serveOne(ctx, cmd.PrepareFlashbackToVersion, s.KvPrepareFlashbackToVersion, func(r *kvrpcpb.PrepareFlashbackToVersionResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_PrepareFlashbackToVersion{PrepareFlashbackToVersion: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Flush:
		return serveOne(ctx, cmd.Flush, s.KvFlush, func(r *kvrpcpb.FlushResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Flush{Flush: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_BufferBatchGet:
		return serveOne(ctx, cmd.BufferBatchGet, s.KvBufferBatchGet, func(r *kvrpcpb.BufferBatchGetResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_BufferBatchGet{BufferBatchGet: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_GetHealthFeedback:
		return serveOne(ctx, cmd.GetHealthFeedback, s.GetHealthFeedback, func(r *kvrpcpb.GetHealthFeedbackResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_GetHealthFeedback{GetHealthFeedback: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_BroadcastTxnStatus:
		return serveOne(ctx, cmd.BroadcastTxnStatus, s.BroadcastTxnStatus, func(r *kvrpcpb.BroadcastTxnStatusResponse) *batchResp {
			return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_BroadcastTxnStatus{BroadcastTxnStatus: r}}
		})
	case *tikvpb.BatchCommandsRequest_Request_Empty:
		empty := &tikvpb.BatchCommandsEmptyResponse{TestId: cmd.Empty.GetTestId()}
		return &batchResp{Cmd: &tikvpb.BatchCommandsResponse_Response_Empty{Empty: empty}}, nil
	}
	return nil, nil
}
