// inventory answers gRPC: a bounded worker pool in front, a database with its pool behind.
package main

import (
	"context"
	"net"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tailspan/shop/internal/cache"
	"tailspan/shop/internal/causes"
	"tailspan/shop/internal/companion"
	"tailspan/shop/internal/service"
	"tailspan/shop/internal/shoppb"
	"tailspan/shop/internal/stock"
	"tailspan/shop/internal/telemetry"
	"tailspan/shop/internal/workers"
)

const (
	poolWorkers = 16
	poolQueue   = 512
	// checkRounds is the work of a request when nothing is wrong, some 0.2 ms.
	checkRounds = 100_000
)

func main() { service.Main(start) }

func start(ctx context.Context, env service.Environment) (service.Started, error) {
	told, err := telemetry.Start(ctx, env)
	if err != nil {
		return service.Started{}, err
	}
	items, err := stock.Open(ctx, told.Waits)
	if err != nil {
		return service.Started{}, err
	}
	liveNodes, err := service.Number("SHOP_LIVE_NODES", 1)
	if err != nil {
		return service.Started{}, err
	}
	pool := workers.NewPool(workers.NewQueue(poolWorkers, poolQueue), told.Waits)
	if env.Level == service.LevelCompanion {
		// The library's pool tells its waits itself, on the request's own span.
		pool = workers.NewPool(companion.NewQueue(poolWorkers, poolQueue), nil)
	}
	switchboard := causes.NewSwitchboard()
	inventory := &inventory{pool: pool, items: items, places: cache.NewClient(env.Cache), wrong: newTrouble(switchboard, pool, items, liveNodes)}

	server := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler()))
	shoppb.RegisterInventoryServer(server, inventory)
	listener, err := net.Listen("tcp", env.Listen)
	if err != nil {
		return service.Started{}, err
	}
	go server.Serve(listener)
	control, stopControl, err := service.ServeHTTP(env.Control, switchboard.Handler())
	if err != nil {
		return service.Started{}, err
	}
	stopServer := func(context.Context) error {
		server.GracefulStop()
		return nil
	}
	closeStock := func(context.Context) error { return items.Close() }
	stops := []service.Stopper{stopControl, stopServer, told.Stop, closeStock}
	return service.Started{Address: listener.Addr().String(), Control: control, Stops: stops}, nil
}

type inventory struct {
	shoppb.UnimplementedInventoryServer
	pool  *workers.Pool
	items *stock.Stock
	// places is asked without spans.
	places *cache.Client
	wrong  *trouble
}

func (i *inventory) Reserve(ctx context.Context, request *shoppb.ReserveRequest) (*shoppb.ReserveReply, error) {
	reply := &shoppb.ReserveReply{}
	err := i.onWorker(ctx, request.GetShard(), func(ctx context.Context, slowQuery time.Duration) (err error) {
		for _, fact := range []string{"place", "weight"} {
			if _, err := i.places.Get(ctx, fact+" of "+request.GetItem()); err != nil {
				return err
			}
		}
		reply.Left, err = i.items.Take(ctx, request.GetItem(), request.GetQuantity(), slowQuery)
		return err
	})
	return reply, err
}

func (i *inventory) Count(ctx context.Context, request *shoppb.CountRequest) (*shoppb.CountReply, error) {
	reply := &shoppb.CountReply{}
	err := i.onWorker(ctx, request.GetShard(), func(ctx context.Context, slowQuery time.Duration) (err error) {
		reply.Level, err = i.items.Count(ctx, request.GetItem(), slowQuery)
		return err
	})
	return reply, err
}

func (i *inventory) onWorker(ctx context.Context, shard int32, use func(context.Context, time.Duration) error) error {
	if i.wrong.refuses() {
		return status.Error(codes.Unavailable, "too busy")
	}
	var failed error
	full := i.pool.Do(ctx, func(ctx context.Context) {
		causes.Compute(checkRounds)
		i.wrong.work(shard)
		failed = use(ctx, i.wrong.slowQuery())
	})
	if full != nil {
		return status.Error(codes.ResourceExhausted, full.Error())
	}
	return failed
}
