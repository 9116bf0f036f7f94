package telemetry

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestOnlyWhatIsExportedIsShifted(t *testing.T) {
	const skew = -35 * time.Millisecond
	exported := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(skewedExporter{SpanExporter: exported, skew: skew}))
	start := time.Unix(1_700_000_000, 5)
	_, span := provider.Tracer("test").Start(context.Background(), "request", trace.WithTimestamp(start))
	span.AddEvent("event", trace.WithTimestamp(start.Add(time.Millisecond)))
	span.End(trace.WithTimestamp(start.Add(2 * time.Millisecond)))
	own := span.(sdktrace.ReadOnlySpan)
	if !own.StartTime().Equal(start) || !own.Events()[0].Time.Equal(start.Add(time.Millisecond)) {
		t.Error("the span itself was shifted")
	}
	shifted := exported.GetSpans()[0]
	for what, times := range map[string][2]time.Time{
		"start": {shifted.StartTime, start},
		"event": {shifted.Events[0].Time, start.Add(time.Millisecond)},
		"end":   {shifted.EndTime, start.Add(2 * time.Millisecond)},
	} {
		if want := times[1].Add(skew); !times[0].Equal(want) {
			t.Errorf("%s at %v, expected %v", what, times[0], want)
		}
	}
}
