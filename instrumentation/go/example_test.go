package tailspan_test

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	tailspan "github.com/tailspan/tailspan/instrumentation/go"
)

// The one line goes around the processor that exports.
func Example() {
	exporter := tracetest.NewInMemoryExporter() // yours: otlptracegrpc.New, otlptracehttp.New, …
	provider := trace.NewTracerProvider(
		trace.WithSpanProcessor(tailspan.NewSpanProcessor(trace.NewBatchSpanProcessor(exporter))),
	)
	_, span := provider.Tracer("shop").Start(context.Background(), "GET /cart")
	time.Sleep(5 * time.Millisecond)
	span.End()

	_ = provider.ForceFlush(context.Background())
	for _, attribute := range exporter.GetSpans()[0].Attributes {
		if attribute.Key == tailspan.BlockedKey {
			fmt.Println("slept at least 5 ms:", attribute.Value.AsInt64() >= 4_900_000)
		}
	}
	_ = provider.Shutdown(context.Background())
	// Output: slept at least 5 ms: true
}

// A pool tells each span how long its item waited for a worker.
func ExamplePool() {
	exporter := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(tailspan.NewSpanProcessor(trace.NewSimpleSpanProcessor(exporter), tailspan.WithSampleRate(0))))
	pool := tailspan.NewPool(1, 100)

	// The only worker is busy for a while.
	_ = pool.Go(context.Background(), func(context.Context) { time.Sleep(10 * time.Millisecond) })

	ctx, span := provider.Tracer("shop").Start(context.Background(), "price")
	err := pool.Do(ctx, func(context.Context) { /* the work */ })
	span.End()

	queued := false
	for _, attribute := range exporter.GetSpans()[0].Attributes {
		queued = attribute.Key == tailspan.QueueWaitKey && attribute.Value.AsInt64() > 0
	}
	fmt.Println("error:", err, "queued:", queued)
	pool.Close()
	_ = provider.Shutdown(context.Background())
	// Output: error: <nil> queued: true
}

// A semaphore works like the one of x/sync with weight 1, and records how long its turn took to come.
func ExampleSemaphore() {
	connections := tailspan.NewSemaphore(10)
	ctx := context.Background()
	if err := connections.Acquire(ctx); err != nil {
		return
	}
	defer connections.Release()
	fmt.Println("waiting:", connections.Waiting())
	// Output: waiting: 0
}

// A queue of your own says how long its item waited.
func ExampleRecordQueueWait() {
	type job struct {
		ctx      context.Context
		enqueued time.Time
	}
	queue := make(chan job, 10)
	queue <- job{context.Background(), time.Now()}
	next := <-queue
	tailspan.RecordQueueWait(next.ctx, next.enqueued, time.Now())
	// Output:
}
