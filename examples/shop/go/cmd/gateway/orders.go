package main

import (
	"context"
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
)

type orders struct {
	client *kgo.Client
}

func openOrders(ctx context.Context, broker string) (*orders, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("orders"), kgo.ProducerLinger(0),
		kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(kotel.NewTracer(kotel.ClientID("gateway")))).Hooks()...))
	if err != nil {
		return nil, err
	}
	return &orders{client: client}, client.Ping(ctx)
}

// publish returns when the broker has the order.
func (o *orders) publish(ctx context.Context, bought *order) error {
	value, err := json.Marshal(bought)
	if err != nil {
		return err
	}
	return o.client.ProduceSync(ctx, &kgo.Record{Key: []byte(bought.Item), Value: value}).FirstErr()
}
