package tailspan

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// busy fills a pool's only worker until the returned function is called.
func busy(t *testing.T, pool *Pool) (free func()) {
	t.Helper()
	release, begun := make(chan struct{}), make(chan struct{})
	if err := pool.Go(context.Background(), func(context.Context) { close(begun); <-release }); err != nil {
		t.Fatal(err)
	}
	<-begun
	return sync.OnceFunc(func() { close(release) })
}

func TestItemsRunInTheirOrder(t *testing.T) {
	pool := NewPool(1, 100)
	free := busy(t, pool)
	var order []int
	for i := range 50 {
		if err := pool.Go(context.Background(), func(context.Context) { order = append(order, i) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := pool.Waiting(); got != 50 {
		t.Errorf("%d wait", got)
	}
	free()
	pool.Close()
	for i, got := range order {
		if got != i {
			t.Fatalf("order %v", order)
		}
	}
	if len(order) != 50 {
		t.Errorf("%d of 50 ran before Close returned", len(order))
	}
}

func TestNoMoreWorkersThanAsked(t *testing.T) {
	pool := NewPool(3, 1000)
	var running, most atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			err := pool.Do(context.Background(), func(context.Context) {
				now := running.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				time.Sleep(50 * time.Microsecond)
				running.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	pool.Close()
	if most.Load() > 3 {
		t.Errorf("%d items ran at once on 3 workers", most.Load())
	}
}

func TestAFullPoolRefuses(t *testing.T) {
	pool := NewPool(1, 1)
	defer pool.Close()
	free := busy(t, pool)
	defer free()
	if err := pool.Go(context.Background(), func(context.Context) {}); err != nil {
		t.Fatal(err)
	}
	if err := pool.Do(context.Background(), func(context.Context) {}); !errors.Is(err, ErrPoolFull) {
		t.Errorf("%v", err)
	}
}

func TestAClosedPoolRefuses(t *testing.T) {
	pool := NewPool(2, 1)
	pool.Close()
	pool.Close()
	if err := pool.Do(context.Background(), func(context.Context) {}); !errors.Is(err, ErrPoolClosed) {
		t.Errorf("%v", err)
	}
}

func TestACanceledItemDoesNotRun(t *testing.T) {
	pool := NewPool(1, 10)
	defer pool.Close()
	free := busy(t, pool)
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	done := make(chan error)
	go func() { done <- pool.Do(ctx, func(context.Context) { ran = true }) }()
	until(t, "the item waits", func() bool { return pool.Waiting() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || pool.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, pool.Waiting())
	}
	free()
	if err := pool.Do(context.Background(), func(context.Context) {}); err != nil || ran {
		t.Errorf("%v, ran %v", err, ran)
	}
	if err := pool.Do(ctx, func(context.Context) { ran = true }); !errors.Is(err, context.Canceled) || ran {
		t.Errorf("with a context that was over: %v", err)
	}
}

func TestAPanicIsRaisedWhereTheItemCameFrom(t *testing.T) {
	pool := NewPool(1, 10)
	defer pool.Close()
	func() {
		defer func() {
			if got := recover(); got != "broken" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = pool.Do(context.Background(), func(context.Context) { panic("broken") })
	}()
	if err := pool.Do(context.Background(), func(context.Context) {}); err != nil {
		t.Errorf("the worker is gone: %v", err)
	}
}

func TestGoexitDoesNotCostAWorker(t *testing.T) {
	pool := NewPool(1, 10)
	defer pool.Close()
	for range 3 {
		if err := pool.Do(context.Background(), func(context.Context) { runtime.Goexit() }); err != nil {
			t.Fatal(err)
		}
	}
	free := busy(t, pool)
	if err := pool.Go(context.Background(), func(context.Context) { runtime.Goexit() }); err != nil {
		t.Fatal(err)
	}
	free()
	if err := pool.Do(context.Background(), func(context.Context) {}); err != nil {
		t.Errorf("the worker is gone: %v", err)
	}
}

// queued is the queue wait on the only exported span.
func queued(t *testing.T, spans tracetest.SpanStubs) time.Duration {
	t.Helper()
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	wait, _ := value(spans[0], QueueWaitKey)
	return time.Duration(wait)
}

func TestQueueWaitIsOnEverySpanChosenOrNot(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	pool := NewPool(1, 10)
	defer pool.Close()
	free := busy(t, pool)
	ctx, span := b.Start(context.Background(), "a")
	time.AfterFunc(20*time.Millisecond, free)
	submitted := time.Now()
	var began time.Time
	if err := pool.Do(ctx, func(context.Context) { began = time.Now() }); err != nil {
		t.Fatal(err)
	}
	span.End()
	got := queued(t, b.exported.GetSpans())
	if apart := (began.Sub(submitted) - got).Abs(); apart > time.Millisecond {
		t.Errorf("queue wait %v, known %v", got, began.Sub(submitted))
	}
}

func TestWaitsAtTheSameTimeCountOnce(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	ctx, span := b.Start(context.Background(), "a", trace.WithTimestamp(at(0)))
	_, child := b.Start(ctx, "child", trace.WithTimestamp(at(10)))
	child.End(trace.WithTimestamp(at(20)))
	RecordQueueWait(ctx, at(1), at(6))
	RecordQueueWait(ctx, at(3), at(8))
	RecordQueueWait(ctx, at(15), at(20)) // the child's time
	RecordQueueWait(ctx, at(22), at(30)) // beyond the span's end
	RecordQueueWait(ctx, at(5), at(4))
	span.End(trace.WithTimestamp(at(25)))
	if wait, _ := value(b.exported.GetSpans()[1], QueueWaitKey); wait != 10e6 {
		t.Errorf("queue wait %v", time.Duration(wait))
	}
}

func TestWaitsOfASpanAreBounded(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	ctx, span := b.Start(context.Background(), "a")
	start := time.Now()
	for i := range 2 * waitsMax {
		from := start.Add(time.Duration(i) * 2 * time.Microsecond)
		RecordQueueWait(ctx, from, from.Add(time.Microsecond))
	}
	time.Sleep(5 * time.Millisecond)
	span.End()
	if got := queued(t, b.exported.GetSpans()); got != waitsMax*time.Microsecond || b.processor.Stats().WaitsDropped != waitsMax {
		t.Errorf("queue wait %v, dropped %d", got, b.processor.Stats().WaitsDropped)
	}
}
