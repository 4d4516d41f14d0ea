package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/pingcap/log"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The store panics on what it doesn't implement and on some malformed requests.
// A tenant's request must not end the storage of the others, so that a panic
// becomes the answer to the one request.

// rescue turns a panic into an error.
func rescue(what string, err *error) {
	if fault := recover(); fault != nil {
		log.Error("a request panicked", zap.String("request", what),
			zap.Any("fault", fault), zap.ByteString("stack", debug.Stack()))
		*err = status.Error(codes.Unimplemented, fmt.Sprintf("%s: %v", what, fault))
	}
}

func recoverUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer rescue(info.FullMethod, &err)
	return handle(ctx, req)
}

func recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer rescue(info.FullMethod, &err)
	return handle(srv, stream)
}
