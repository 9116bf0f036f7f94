// Package workers is a bounded pool of goroutines with a queue in front, as services have it around something scarce.
package workers

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"tailspan/shop/internal/truthmark"
)

// Runner runs functions on workers of its own.
type Runner interface {
	Do(ctx context.Context, run func(context.Context)) error
	Waiting() int
}

// Pool is a runner that says, to the truth and if wanted to the telemetry, how long each job waited for a worker.
type Pool struct {
	Runner
	// tracer is nil when waits get no span of their own.
	tracer trace.Tracer
}

// NewPool makes a tracer emit a queue_wait span per job; without one it does not.
func NewPool(runner Runner, tracer trace.Tracer) *Pool {
	return &Pool{Runner: runner, tracer: tracer}
}

// Do runs the function on a worker and returns when it is done, or at once with an error of the runner.
func (p *Pool) Do(ctx context.Context, run func(context.Context)) error {
	truthmark.Mark(ctx, truthmark.Queue)
	wait := p.startWait(ctx)
	err := p.Runner.Do(ctx, func(ctx context.Context) {
		truthmark.Mark(ctx, truthmark.Carry)
		wait.end()
		run(ctx)
		truthmark.Mark(ctx, truthmark.Release)
	})
	if err != nil {
		wait.end()
		truthmark.Mark(ctx, truthmark.Carry)
	}
	return err
}

// waitSpan is the span of the time in the queue; its zero value is none.
type waitSpan struct {
	ctx  context.Context
	span trace.Span
}

func (p *Pool) startWait(ctx context.Context) (wait waitSpan) {
	if p.tracer == nil {
		return wait
	}
	wait.ctx, wait.span = p.tracer.Start(ctx, "queue_wait")
	truthmark.Mark(wait.ctx, truthmark.Queue)
	return wait
}

func (w waitSpan) end() {
	if w.span == nil {
		return
	}
	truthmark.Mark(w.ctx, truthmark.Carry)
	w.span.End()
}
