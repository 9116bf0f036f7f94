package telemetry

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// skewedExporter makes this process look as if its clock were ahead: only what is exported is shifted.
type skewedExporter struct {
	sdktrace.SpanExporter
	skew time.Duration
}

func (e skewedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	shifted := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		shifted[i] = skewedSpan{ReadOnlySpan: span, skew: e.skew}
	}
	return e.SpanExporter.ExportSpans(ctx, shifted)
}

type skewedSpan struct {
	sdktrace.ReadOnlySpan
	skew time.Duration
}

func (s skewedSpan) StartTime() time.Time { return s.ReadOnlySpan.StartTime().Add(s.skew) }
func (s skewedSpan) EndTime() time.Time   { return s.ReadOnlySpan.EndTime().Add(s.skew) }

func (s skewedSpan) Events() []sdktrace.Event {
	events := append([]sdktrace.Event(nil), s.ReadOnlySpan.Events()...)
	for i := range events {
		events[i].Time = events[i].Time.Add(s.skew)
	}
	return events
}
