package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

const batchPath = "/tikvpb.Tikv/BatchCommands"

// command is one kind of request inside BatchCommands.
type command struct {
	name   string
	number protowire.Number
	input  string
}

func (a *attacker) batchCommands() []command {
	var list []command
	for _, inner := range a.forger.protocol.Messages["tikvpb.BatchCommandsRequest.Request"].GetField() {
		list = append(list, command{"BatchCommands " + inner.GetName(), protowire.Number(inner.GetNumber()), strings.TrimPrefix(inner.GetTypeName(), ".")})
	}
	return list
}

// frame is a BatchCommandsRequest of one command.
func frame(number protowire.Number, inner []byte, id uint64) []byte {
	request := field(number, inner)
	return join(field(1, request), field(2, protowire.AppendVarint(nil, id)))
}

// batchStream is one stream of frames; whatever the answers say is held against all that was sent.
type batchStream struct {
	stream  grpc.ClientStream
	answers chan []byte
	cancel  context.CancelFunc
	ended   error
}

func (a *attacker) openBatch() (*batchStream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := a.store.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, batchPath)
	if err != nil {
		cancel()
		return nil, err
	}
	b := &batchStream{stream: stream, answers: make(chan []byte, 1000), cancel: cancel}
	go func() {
		defer close(b.answers)
		for {
			var answer []byte
			if b.ended = stream.RecvMsg(&answer); b.ended != nil {
				return
			}
			b.answers <- answer
		}
	}()
	return b, nil
}

// ask sends a frame and waits for the next answer.
func (b *batchStream) ask(frame []byte, limit time.Duration) ([]byte, error) {
	if err := b.stream.SendMsg(frame); err != nil && err != io.EOF {
		return nil, err
	}
	select {
	case answer, going := <-b.answers:
		if !going {
			return nil, b.ended
		}
		return answer, nil
	case <-time.After(limit):
		return nil, status.Error(codes.DeadlineExceeded, "no answer")
	}
}

func (a *attacker) batch(command command) {
	defer a.report.took(command.name, time.Now())
	attempts := a.forger.attempts(command.input, perRPC, a.rng(command.name))
	if command.input == "tikvpb.BatchCommandsEmptyRequest" {
		attempts = attempts[:min(len(attempts), 20)]
	}
	b, err := a.openBatch()
	if err != nil {
		a.report.count(command.name, "stream", status.Code(err))
		return
	}
	defer func() { b.cancel() }()
	for i, attempt := range attempts {
		a.ask(&b, command.name, attempt.kind, attempt.why, frame(command.number, attempt.forge(), uint64(i+1)))
	}
}

// ask sends one frame, judges the answer, and opens the stream again where it was ended.
func (a *attacker) ask(b **batchStream, name, kind, why string, frame []byte) {
	answer, err := (*b).ask(frame, callPatience)
	told := append([]byte(status.Convert(err).Message()), answer...)
	a.judge(name, why, told, frame)
	a.report.count(name, kind, status.Code(err))
	if err == nil {
		return
	}
	(*b).cancel()
	if again, err := a.openBatch(); err == nil {
		*b = again
	}
}

// batchFrames attacks the envelope: tags that don't exist, ids that don't fit the requests, many
// commands in one frame, one id twice.
func (a *attacker) batchFrames() {
	const name = "BatchCommands envelope"
	b, err := a.openBatch()
	if err != nil {
		a.report.count(name, "stream", status.Code(err))
		return
	}
	defer func() { b.cancel() }()
	home := a.forger.values.home
	get := a.forger.encode("kvrpcpb.GetRequest", "", nil, home)
	stolen := a.forger.encode("kvrpcpb.GetRequest", "", changes{".key": a.forger.values.of(kindKey)[0]}, home)
	ids := func(n ...uint64) []byte {
		var packed []byte
		for _, id := range n {
			packed = protowire.AppendVarint(packed, id)
		}
		return field(2, packed)
	}
	frames := [][]byte{
		nil, field(1, nil), ids(1), join(field(1, field(1, get)), ids(1, 2)), join(field(1, field(1, get)), field(1, field(1, get)), ids(1)),
		join(field(1, field(1, get)), field(1, field(1, stolen)), ids(1, 1)), join(field(1, join(field(1, get), field(1, stolen))), ids(1)),
		join(field(1, join(field(1, get), field(2, stolen))), ids(1)), join(field(1, field(1, get)), ids(1<<64-1)), join(field(1, field(1, get)), ids(0)),
		join(field(1, field(1, get)), plain(2, 1)), join(field(1, field(1, get)), plain(2, 1), plain(2, 2)), join(field(1, plain(1, 1)), ids(1)),
	}
	for tag := protowire.Number(1); tag < 300; tag++ {
		frames = append(frames, frame(tag, get, 1), frame(tag, nil, 2))
	}
	for i, malformed := range malformed {
		frames = append(frames, join(frame(1, get, uint64(i)), malformed), frame(1, join(get, malformed), uint64(i)), join(field(1, join(field(1, get), malformed)), ids(3)))
	}
	for i, frame := range frames {
		a.ask(&b, name, "envelope", fmt.Sprintf("frame %d", i), frame)
	}
}

// watchEverything watches all etcd keys, all of history, while everything else goes on.
func (a *attacker) watchEverything() func() {
	ctx, cancel := context.WithCancel(context.Background())
	var ended []chan struct{}
	for i, bounds := range [][2]string{{"\x00", "\x00"}, {"/", "0"}, {"", "\x00"}, {"/tidb-mesh", "/tidb-mesi"}, {"../", "\x00"}, {"\xff", "\x00"}} {
		done := make(chan struct{})
		ended = append(ended, done)
		go func() {
			defer close(done)
			a.watchOne(ctx, fmt.Sprintf("watch %d", i), bounds)
		}()
	}
	return func() {
		cancel()
		for _, done := range ended {
			<-done
		}
	}
}

func (a *attacker) watchOne(ctx context.Context, why string, bounds [2]string) {
	const name = "etcd watch of everything"
	stream, err := etcdserverpb.NewWatchClient(a.pd).Watch(ctx)
	if err != nil {
		a.report.count(name, "stream", status.Code(err))
		return
	}
	create := &etcdserverpb.WatchCreateRequest{Key: []byte(bounds[0]), RangeEnd: []byte(bounds[1]), StartRevision: 1, PrevKv: true, ProgressNotify: true}
	request := &etcdserverpb.WatchRequest{RequestUnion: &etcdserverpb.WatchRequest_CreateRequest{CreateRequest: create}}
	if err = stream.Send(request); err != nil {
		return
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			if ctx.Err() == nil {
				a.report.count(name, "stream", status.Code(err))
			}
			return
		}
		text, err := answer.Marshal()
		if err != nil {
			return
		}
		a.judge(name, why, text, nil)
		a.report.count(name, "watch", codes.OK)
	}
}
