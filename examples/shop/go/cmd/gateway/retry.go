package main

import (
	"context"
	"time"
)

const (
	attempts = 3
	backoff  = 2 * time.Millisecond
)

// retried calls again, a little later, while the call fails in a way that another try may mend.
func retried[T any](ctx context.Context, timeout time.Duration, mends func(error) bool, call func(context.Context) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, timeout)
		result, err := call(limited)
		cancel()
		if err == nil || attempt == attempts || ctx.Err() != nil || !mends(err) {
			return result, err
		}
		time.Sleep(backoff)
	}
}

type outcome[T any] struct {
	result T
	err    error
}

// hedged makes a second call when the first has not answered after a while; the first result wins and the other is given up.
func hedged[T any](ctx context.Context, after time.Duration, call func(context.Context) (T, error)) (T, error) {
	if after <= 0 {
		return call(ctx)
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	outcomes := make(chan outcome[T], 2)
	start := func() {
		result, err := call(ctx)
		outcomes <- outcome[T]{result, err}
	}
	go start()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case first := <-outcomes:
		return first.result, first.err
	case <-timer.C:
	}
	go start()
	first := <-outcomes
	if first.err != nil {
		first = <-outcomes
	}
	return first.result, first.err
}
