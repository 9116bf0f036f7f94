// Package truthmark writes into the runtime's execution trace what only the program knows: which goroutine carries which span,
// and what a wait is for. cmd/gotruth reads the marks. Nothing of it reaches the telemetry.
package truthmark

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	runtrace "runtime/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Categories of the log events in the execution trace. The goroutine that logs is part of the message.
const (
	// Start: this goroutine carries a new span. "trace span parent kind startUnixNano"
	Start = "shop.start"
	// End: "span endUnixNano name"
	End = "shop.end"
	// Queue: from here on nobody carries the span; it waits for a worker. "span"
	Queue = "shop.queue"
	// Carry: from here on this goroutine carries the span. "span"
	Carry = "shop.carry"
	// Release: the worker is done; whoever queued the span carries it again. "span"
	Release = "shop.release"
	// Foreign: a library of another language makes spans of its own inside this span. "span"
	Foreign = "shop.foreign"
	// QueueRegion: while it is open, a goroutine that waits does so for a pool.
	QueueRegion = "shop.queue"
)

const bufferBytes = 1 << 20

// Record writes the execution trace of this process into the folder until stop is called.
func Record(folder, service string) (stop func() error, err error) {
	file, err := os.Create(filepath.Join(folder, service+".gotrace"))
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(file, bufferBytes)
	if err := runtrace.Start(buffered); err != nil {
		file.Close()
		return nil, fmt.Errorf("execution trace: %w", err)
	}
	return func() error {
		runtrace.Stop()
		if err := buffered.Flush(); err != nil {
			return err
		}
		return file.Close()
	}, nil
}

// Processor marks the start and the end of every span on the goroutine where they happen.
type Processor struct{}

// OnStart is called by the goroutine that starts the span.
func (Processor) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	if !runtrace.IsEnabled() {
		return
	}
	own := span.SpanContext()
	message := fmt.Sprintf("%s %s %s %d %d", own.TraceID(), own.SpanID(), span.Parent().SpanID(), span.SpanKind(), span.StartTime().UnixNano())
	runtrace.Log(context.Background(), Start, message)
}

// OnEnd is called by the goroutine that ends the span.
func (Processor) OnEnd(span sdktrace.ReadOnlySpan) {
	if !runtrace.IsEnabled() {
		return
	}
	message := fmt.Sprintf("%s %d %s", span.SpanContext().SpanID(), span.EndTime().UnixNano(), span.Name())
	runtrace.Log(context.Background(), End, message)
}

// ForceFlush has nothing to flush.
func (Processor) ForceFlush(context.Context) error { return nil }

// Shutdown has nothing to stop.
func (Processor) Shutdown(context.Context) error { return nil }

// Mark says who carries the span of ctx from now on.
func Mark(ctx context.Context, category string) {
	if runtrace.IsEnabled() {
		runtrace.Log(context.Background(), category, trace.SpanContextFromContext(ctx).SpanID().String())
	}
}

// QueueWait says that this goroutine waits for a pool until the returned function is called on it.
func QueueWait() (end func()) {
	return runtrace.StartRegion(context.Background(), QueueRegion).End
}
