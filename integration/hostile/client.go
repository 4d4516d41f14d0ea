package main

import (
	"context"
	"fmt"
	"time"

	gogo "github.com/gogo/protobuf/proto"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience bounds whatever an honest call takes.
const patience = 20 * time.Second

// codec sends bytes as they are and messages encoded.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.([]byte); ok {
		return raw, nil
	}
	return gogo.Marshal(v.(gogo.Message))
}

func (codec) Unmarshal(data []byte, v any) error {
	if raw, ok := v.(*[]byte); ok {
		*raw = append([]byte{}, data...)
		return nil
	}
	return gogo.Unmarshal(data, v.(gogo.Message))
}

func dial(address string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(256<<20), grpc.MaxCallSendMsgSize(256<<20)),
	}, more...)
	return grpc.Dial(address, options...)
}

// client is an honest client of one tenant (or of the storage itself).
type client struct {
	pd      *grpc.ClientConn
	store   *grpc.ClientConn
	cluster uint64
}

func connect(tenant Tenant) (*client, error) {
	pd, err := dial(tenant.PD)
	if err != nil {
		return nil, err
	}
	store, err := dial(tenant.store())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	members, err := pdpb.NewPDClient(pd).GetMembers(ctx, &pdpb.GetMembersRequest{})
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", tenant.Name, err)
	}
	return &client{pd, store, members.GetHeader().GetClusterId()}, nil
}

func (c *client) header() *pdpb.RequestHeader { return &pdpb.RequestHeader{ClusterId: c.cluster} }

func (c *client) timestamp(ctx context.Context) (uint64, error) {
	stream, err := pdpb.NewPDClient(c.pd).Tso(ctx)
	if err != nil {
		return 0, err
	}
	defer stream.CloseSend()
	if err = stream.Send(&pdpb.TsoRequest{Header: c.header(), Count: 1}); err != nil {
		return 0, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return 0, err
	}
	return uint64(answer.Timestamp.Physical)<<18 | uint64(answer.Timestamp.Logical), nil
}

// placeOf finds the region of a key.
func (c *client) placeOf(ctx context.Context, key []byte) (place, error) {
	answer, err := pdpb.NewPDClient(c.pd).GetRegion(ctx, &pdpb.GetRegionRequest{Header: c.header(), RegionKey: memcomparable(key)})
	if err != nil {
		return place{}, err
	}
	region, leader := answer.GetRegion(), answer.GetLeader()
	if region == nil || leader == nil {
		return place{}, fmt.Errorf("no region for a key of %d bytes: %v", len(key), answer.GetHeader().GetError())
	}
	return place{region.Id, region.RegionEpoch.ConfVer, region.RegionEpoch.Version, leader.Id, leader.StoreId}, nil
}

func (p place) context() *kvrpcpb.Context {
	return &kvrpcpb.Context{
		RegionId:    p.region,
		RegionEpoch: &metapb.RegionEpoch{ConfVer: p.confVer, Version: p.version},
		Peer:        &metapb.Peer{Id: p.peer, StoreId: p.store},
	}
}

// prewrite locks a key.
func (c *client) prewrite(ctx context.Context, key, value []byte, ts uint64) error {
	place, err := c.placeOf(ctx, key)
	if err != nil {
		return err
	}
	answer, err := tikvpb.NewTikvClient(c.store).KvPrewrite(ctx, &kvrpcpb.PrewriteRequest{
		Context: place.context(), PrimaryLock: key, StartVersion: ts, LockTtl: 3_600_000,
		Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: key, Value: value}},
	})
	if err == nil && (answer.RegionError != nil || len(answer.Errors) > 0) {
		err = fmt.Errorf("prewrite: %v %v", answer.RegionError, answer.Errors)
	}
	return err
}

func (c *client) commit(ctx context.Context, key []byte, ts uint64) error {
	place, err := c.placeOf(ctx, key)
	if err != nil {
		return err
	}
	end, err := c.timestamp(ctx)
	if err != nil {
		return err
	}
	answer, err := tikvpb.NewTikvClient(c.store).KvCommit(ctx, &kvrpcpb.CommitRequest{
		Context: place.context(), StartVersion: ts, CommitVersion: end, Keys: [][]byte{key},
	})
	if err == nil && (answer.RegionError != nil || answer.Error != nil) {
		err = fmt.Errorf("commit: %v %v", answer.RegionError, answer.Error)
	}
	return err
}

// put writes a key in a transaction of its own and tells its start.
func (c *client) put(ctx context.Context, key, value []byte) (uint64, error) {
	ts, err := c.timestamp(ctx)
	if err != nil {
		return 0, err
	}
	if err = c.prewrite(ctx, key, value, ts); err != nil {
		return 0, err
	}
	return ts, c.commit(ctx, key, ts)
}
