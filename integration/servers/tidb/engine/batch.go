package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/log"
	"go.uber.org/zap"
)

type (
	batchReq  = tikvpb.BatchCommandsRequest_Request
	batchResp = tikvpb.BatchCommandsResponse_Response
)

// batchQueue is how many answers may wait for the stream.
const batchQueue = 1024

type batchAnswer struct {
	id   uint64
	resp *batchResp
}

// BatchCommands serves many commands over one stream, each on its own, and
// sends the answers that are ready together. It is here, not in the store,
// because the store would call its own methods instead of ours.
func (s *service) BatchCommands(stream tikvpb.Tikv_BatchCommandsServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	answers := make(chan batchAnswer, batchQueue)
	received := make(chan error, 1)
	go func() { received <- s.receiveBatches(ctx, stream, answers) }()
	for {
		select {
		case err := <-received:
			return err
		case first := <-answers:
			if err := stream.Send(gather(first, answers)); err != nil {
				return err
			}
		}
	}
}

// gather adds to the first answer those that wait already.
func gather(first batchAnswer, answers <-chan batchAnswer) *tikvpb.BatchCommandsResponse {
	batch := new(tikvpb.BatchCommandsResponse)
	add := func(a batchAnswer) {
		batch.Responses = append(batch.Responses, a.resp)
		batch.RequestIds = append(batch.RequestIds, a.id)
	}
	add(first)
	for range len(answers) {
		add(<-answers)
	}
	return batch
}

func (s *service) receiveBatches(ctx context.Context, stream tikvpb.Tikv_BatchCommandsServer, answers chan<- batchAnswer) error {
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(batch.GetRequests()) != len(batch.GetRequestIds()) {
			return errors.New("a batch has other numbers of requests and of ids")
		}
		for i, req := range batch.GetRequests() {
			go func() {
				answer := batchAnswer{id: batch.GetRequestIds()[i], resp: s.answer(ctx, req)}
				select {
				case answers <- answer:
				case <-ctx.Done():
				}
			}()
		}
	}
}

// answer serves one command of a batch. What isn't known, or can't say that it
// failed, is answered without content: the client then fails the one request
// instead of waiting.
func (s *service) answer(ctx context.Context, req *batchReq) *batchResp {
	s.calls.noteCommand(req)
	resp, err := s.dispatch(ctx, req)
	if err != nil {
		log.Warn("a command of a batch failed", zap.Error(err))
	}
	if err != nil || resp == nil {
		return new(batchResp)
	}
	return resp
}

// serveOne calls a method and wraps its answer, or the failure as an answer.
func serveOne[Req, Resp any](
	ctx context.Context, req Req, call func(context.Context, Req) (Resp, error), wrap func(Resp) *batchResp,
) (*batchResp, error) {
	resp, err := attempt(ctx, req, call)
	if err == nil {
		return wrap(resp), nil
	}
	if resp, ok := faultOf[Resp](err.Error()); ok {
		log.Warn("a command of a batch failed", zap.Error(err))
		return wrap(resp), nil
	}
	return nil, err
}

// attempt calls a method that may panic.
func attempt[Req, Resp any](ctx context.Context, req Req, call func(context.Context, Req) (Resp, error)) (resp Resp, err error) {
	defer rescue(fmt.Sprintf("%T", req), &err)
	return call(ctx, req)
}
