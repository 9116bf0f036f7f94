package tailspan

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The attributes that carry evidence: nanoseconds of the span's self time, which is its duration less what its children in this
// process cover.
const (
	// QueueWaitKey is waiting for a turn: in a pool, at a semaphore, a lock, a full channel, a connection pool.
	QueueWaitKey = attribute.Key("tailspan.queue_wait_ns")
	// SchedulingKey is being able to run and not running.
	SchedulingKey = attribute.Key("tailspan.scheduling_ns")
	// GCKey is stop-the-world and mark assist.
	GCKey = attribute.Key("tailspan.gc_ns")
	// ProcessingKey is running, calls into C included. Spans of kind CLIENT and PRODUCER do not get it: they stand for the peer, and
	// what their goroutine runs meanwhile is part of what the call costs.
	ProcessingKey = attribute.Key("tailspan.processing_ns")
	// BlockedKey is waiting that nothing measured: a peer without a span, a timer, the disk.
	BlockedKey = attribute.Key("tailspan.blocked_ns")
	// UnwatchedBeforeKey is no part of the span: of a SERVER span that begins its request in this process, for how long the request
	// had been there and nobody ran to answer it.
	UnwatchedBeforeKey = attribute.Key("tailspan.unwatched_before_ns")
)

// evidence of one span, in nanoseconds.
type evidence struct {
	queueWait, scheduling, gc, processing, blocked int64
	// queueWaitOnly is set where the trace said nothing: only what pools and semaphores measured is known.
	queueWaitOnly bool
	// ofCall is set for spans that stand for a peer.
	ofCall bool
	// before is what it answers was there for, where beginsRequest is set.
	before        int64
	beginsRequest bool
}

func isCall(span sdktrace.ReadOnlySpan) bool {
	return span.SpanKind() == trace.SpanKindClient || span.SpanKind() == trace.SpanKindProducer
}

func (e evidence) attributes() []attribute.KeyValue {
	if e.queueWaitOnly {
		if e.queueWait == 0 {
			return nil
		}
		return []attribute.KeyValue{QueueWaitKey.Int64(e.queueWait)}
	}
	all := []attribute.KeyValue{
		QueueWaitKey.Int64(e.queueWait), SchedulingKey.Int64(e.scheduling), GCKey.Int64(e.gc), BlockedKey.Int64(e.blocked),
	}
	if !e.ofCall {
		all = append(all, ProcessingKey.Int64(e.processing))
	}
	if e.beginsRequest {
		all = append(all, UnwatchedBeforeKey.Int64(e.before))
	}
	return all
}

// spanWithEvidence is a span with a few attributes more.
type spanWithEvidence struct {
	sdktrace.ReadOnlySpan
	attributes []attribute.KeyValue
}

func (s spanWithEvidence) Attributes() []attribute.KeyValue { return s.attributes }

// withEvidence returns the span itself where there is nothing to add. What the service said itself under one of the keys stands.
func withEvidence(span sdktrace.ReadOnlySpan, e evidence) sdktrace.ReadOnlySpan {
	more := e.attributes()
	if len(more) == 0 {
		return span
	}
	own := span.Attributes()
	all := make([]attribute.KeyValue, 0, len(own)+len(more))
	all = append(all, own...)
	for _, one := range more {
		if !slices.ContainsFunc(own, func(said attribute.KeyValue) bool { return said.Key == one.Key }) {
			all = append(all, one)
		}
	}
	return spanWithEvidence{span, all}
}
