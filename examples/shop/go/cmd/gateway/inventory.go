package main

import (
	"context"
	"sync"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"tailspan/shop/internal/shoppb"
)

type inventory struct {
	connection *grpc.ClientConn
	client     shoppb.InventoryClient
	policy     policy
}

func dialInventory(address string, policy policy) (*inventory, error) {
	connection, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
	if err != nil {
		return nil, err
	}
	return &inventory{connection: connection, client: shoppb.NewInventoryClient(connection), policy: policy}, nil
}

func (i *inventory) close(context.Context) error { return i.connection.Close() }

func mendsRPC(err error) bool {
	code := status.Code(err)
	return code == codes.DeadlineExceeded || code == codes.Unavailable
}

func (i *inventory) reserve(ctx context.Context, request *shoppb.ReserveRequest) (*shoppb.ReserveReply, error) {
	return retried(ctx, i.policy.attemptTimeout, mendsRPC, func(ctx context.Context) (*shoppb.ReserveReply, error) {
		return hedged(ctx, i.policy.hedgeAfter, func(ctx context.Context) (*shoppb.ReserveReply, error) {
			return i.client.Reserve(ctx, request)
		})
	})
}

// reserveAll asks every shard at once and answers with the least that one has left.
func (i *inventory) reserveAll(ctx context.Context, item string, quantity int32, shards int) (int64, error) {
	if shards == 1 {
		reply, err := i.reserve(ctx, &shoppb.ReserveRequest{Item: item, Quantity: quantity})
		return reply.GetLeft(), err
	}
	var mutex sync.Mutex
	var least int64
	tasks := make([]func() error, shards)
	for shard := range tasks {
		tasks[shard] = func() error {
			reply, err := i.reserve(ctx, &shoppb.ReserveRequest{Item: item, Quantity: quantity, Shard: int32(shard)})
			mutex.Lock()
			defer mutex.Unlock()
			if shard == 0 || reply.GetLeft() < least {
				least = reply.GetLeft()
			}
			return err
		}
	}
	err := together(tasks)
	return least, err
}

func (i *inventory) count(ctx context.Context, item string) (int64, error) {
	reply, err := retried(ctx, i.policy.attemptTimeout, mendsRPC, func(ctx context.Context) (*shoppb.CountReply, error) {
		return i.client.Count(ctx, &shoppb.CountRequest{Item: item})
	})
	return reply.GetLevel(), err
}
