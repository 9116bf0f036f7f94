package tailspan

import (
	"context"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
)

// RecordQueueWait notes that the span of ctx waited for its turn from one moment to another. [Pool] and [Semaphore] do this
// themselves; use it for a queue of your own. Waits may overlap: each moment counts once.
func RecordQueueWait(ctx context.Context, from, to time.Time) {
	span := trace.SpanFromContext(ctx)
	if to.Sub(from) <= 0 || !span.IsRecording() {
		return
	}
	if place, found := live.get(span.SpanContext().SpanID()); found {
		place.request.wait(place.index, interval.Interval{Start: sinceEpoch(from), End: sinceEpoch(to)})
		return
	}
	addQueueWait(span, to.Sub(from))
}

func (r *request) wait(index int, wait interval.Interval) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record := &r.spans[index]
	if len(record.waits) >= waitsMax {
		record.waits = interval.Union(record.waits)
	}
	if len(record.waits) >= waitsMax {
		r.owner.stats.waitsDropped.Add(1)
		return
	}
	record.waits = append(record.waits, wait)
}

var adding sync.Mutex

// addQueueWait serves spans that no processor follows: the attribute itself holds the sum.
func addQueueWait(span trace.Span, wait time.Duration) {
	adding.Lock()
	defer adding.Unlock()
	sum := wait.Nanoseconds()
	if readable, ok := span.(sdktrace.ReadOnlySpan); ok {
		for _, one := range readable.Attributes() {
			if one.Key == QueueWaitKey {
				sum += one.Value.AsInt64()
			}
		}
	}
	span.SetAttributes(QueueWaitKey.Int64(sum))
}
