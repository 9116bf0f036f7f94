//go:build !companion

// Package companion is the one place where Tailspan's companion library (instrumentation/go) joins the shop.
package companion

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"tailspan/shop/internal/workers"
)

// Built tells whether the library is part of this binary.
const Built = false

// Processor hands back what it is given.
func Processor(next sdktrace.SpanProcessor) sdktrace.SpanProcessor { return next }

// NewQueue is the shop's own queue.
func NewQueue(size, queued int) workers.Runner { return workers.NewQueue(size, queued) }
