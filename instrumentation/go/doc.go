// Package tailspan lets a Go service say, span by span, what its own time went to: waiting for a turn, being able to run and
// not running, the garbage collector, or running its code.
//
// One line does it, around the span processor that exports:
//
//	tp := sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(tailspan.NewSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter))),
//	)
//
// The processor keeps the runtime's flight recorder running ([runtime/trace.FlightRecorder]), marks the start of every span in it,
// and holds the spans of requests that were slower than usual, and of a few others, until it has read a snapshot. Then it adds
// integer attributes, nanoseconds of the span's self time (its duration less what its children in this process cover):
//
//	tailspan.queue_wait_ns   in a pool, at a semaphore, a lock, a full channel, a connection pool
//	tailspan.scheduling_ns   runnable, not running
//	tailspan.gc_ns           stop-the-world and mark assist
//	tailspan.processing_ns   running, calls into C included
//	tailspan.blocked_ns      waiting that nothing measured: the network, timers, the disk
//
// The goroutines that work for a span are followed: those that it creates, those that it wakes, and the workers of a [Pool].
// [Pool] and [Semaphore] record queue wait on every span, chosen or not; [RecordQueueWait] does so for queues of your own.
//
// Everything is bounded: the recorder's memory, the spans held and for how long, the CPU time of reading ([WithBudget]). What a bound
// cost is counted ([SpanProcessor.Stats], and the metrics tailspan.evidence.*). No call of the processor waits.
package tailspan
