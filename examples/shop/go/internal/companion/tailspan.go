//go:build companion

// Package companion is the one place where Tailspan's companion library (instrumentation/go) joins the shop.
package companion

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	tailspan "github.com/tailspan/tailspan/instrumentation/go"

	"tailspan/shop/internal/workers"
)

// Built tells whether the library is part of this binary.
const Built = true

// Processor adds evidence to spans before they go on.
func Processor(next sdktrace.SpanProcessor) sdktrace.SpanProcessor {
	return tailspan.NewSpanProcessor(next)
}

// NewQueue is the library's pool, which tells each span how long it waited for a worker.
func NewQueue(size, queued int) workers.Runner { return tailspan.NewPool(size, queued) }
