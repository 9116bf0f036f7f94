// shipping reads the orders from a broker, which runs in its own process, and so does the cache that inventory asks.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"

	"tailspan/shop/internal/cache"
	"tailspan/shop/internal/catalogue"
	"tailspan/shop/internal/causes"
	"tailspan/shop/internal/service"
	"tailspan/shop/internal/telemetry"
)

const (
	topic      = "orders"
	partitions = 4
	// packRounds is the work of shipping an order, some 0.1 ms.
	packRounds = 50_000
)

func main() { service.Main(start) }

// start listens as the broker: that is the address where others reach this process.
func start(ctx context.Context, env service.Environment) (service.Started, error) {
	told, err := telemetry.Start(ctx, env)
	if err != nil {
		return service.Started{}, err
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return service.Started{}, err
	}
	address := broker.ListenAddrs()[0]
	tracer := kotel.NewTracer(kotel.ClientID(env.Name), kotel.ConsumerGroup("shipping"))
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(topic), kgo.ConsumerGroup("shipping"),
		kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(tracer)).Hooks()...))
	if err != nil {
		return service.Started{}, err
	}
	cached, err := net.Listen("tcp", env.Listen)
	if err != nil {
		return service.Started{}, err
	}
	go cache.Serve(cached, catalogue.Places())
	done := make(chan struct{})
	go ship(client, tracer, done)
	control, stopControl, err := service.ServeHTTP(env.Control, causes.NewSwitchboard().Handler())
	if err != nil {
		return service.Started{}, err
	}
	stopConsumer := func(context.Context) error {
		client.Close()
		<-done
		broker.Close()
		return cached.Close()
	}
	stops := []service.Stopper{stopControl, stopConsumer, told.Stop}
	return service.Started{Address: address, Control: control, Cache: cached.Addr().String(), Stops: stops}, nil
}

// ship returns when the client is closed.
func ship(client *kgo.Client, tracer *kotel.Tracer, done chan<- struct{}) {
	defer close(done)
	for {
		fetches := client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				fmt.Fprintln(os.Stderr, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			_, span := tracer.WithProcessSpan(record)
			causes.Compute(packRounds)
			span.End()
		})
	}
}
