package tailspan

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

// SpanProcessor stands before another span processor, usually the one that batches for an exporter, and adds evidence to the
// spans of slow and sampled requests on their way to it. Make one with [NewSpanProcessor].
type SpanProcessor struct {
	next     sdktrace.SpanProcessor
	settings settings
	recorder *recorder
	chooser  *chooser
	stats    counters
	metrics  unregister

	held    atomic.Int64
	mu      sync.Mutex
	chosen  []*request
	stopped atomic.Bool
	wake    chan struct{}
	flushes chan chan struct{}
	quit    chan struct{}
	done    chan struct{}
	// hurrying counts the flushes under way: analyses do not rest then. abandoned ends them where they are.
	hurrying  atomic.Int32
	abandoned atomic.Bool
}

var _ sdktrace.SpanProcessor = (*SpanProcessor)(nil)

// NewSpanProcessor wraps next:
//
//	tp := sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(tailspan.NewSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter))),
//	)
//
// It starts the runtime's flight recorder. Where another one already runs, it says so once in the log, counts it, passes all
// spans untouched (but for the waits that [Pool] and [Semaphore] measure) and tries again every 30 seconds.
// Shutdown stops the recorder and passes on everything that is held.
func NewSpanProcessor(next sdktrace.SpanProcessor, options ...Option) *SpanProcessor {
	chosen := defaults()
	for _, option := range options {
		option(&chosen)
	}
	p := &SpanProcessor{
		next:     next,
		settings: chosen,
		recorder: newRecorder(chosen),
		chooser:  newChooser(chosen.slowQuantile, chosen.samplesPerSec),
		wake:     make(chan struct{}, 1),
		flushes:  make(chan chan struct{}),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	p.startRecorder()
	p.metrics = p.publish(chosen.meters)
	go newAnalyst(p).run()
	return p
}

func (p *SpanProcessor) startRecorder() {
	if err := p.recorder.start(); err != nil {
		if p.stats.recorderRefused.Add(1) == 1 {
			p.settings.logger.Warn("tailspan: the runtime's flight recorder is not available, spans get no scheduling and gc evidence", "error", err)
		}
	}
}

// OnStart notes the span and marks its start on the goroutine.
func (p *SpanProcessor) OnStart(parent context.Context, span sdktrace.ReadWriteSpan) {
	if spanContext := span.SpanContext(); spanContext.IsSampled() && !p.stopped.Load() {
		p.follow(span, spanContext)
	}
	p.next.OnStart(parent, span)
}

func (p *SpanProcessor) follow(span sdktrace.ReadWriteSpan, spanContext trace.SpanContext) {
	id := spanContext.SpanID()
	record := spanRecord{id: id, start: sinceEpoch(span.StartTime())}
	var place liveSpan
	if parent := span.Parent(); parent.IsValid() && !parent.IsRemote() {
		record.parent = parent.SpanID()
		if above, found := live.get(record.parent); found && above.request.owner == p {
			index, ok := above.request.add(record)
			if !ok {
				p.stats.untracked.Add(1)
				return
			}
			place = liveSpan{above.request, index}
		}
	}
	if place.request == nil {
		place.request = &request{
			owner: p, traceID: halfTraceID(spanContext), root: id, opened: time.Now(),
			spans: append(make([]spanRecord, 0, 4), record),
		}
	}
	if !live.put(id, place) {
		p.stats.untracked.Add(1)
		return
	}
	if p.recorder.on.Load() {
		mark.Mark{Kind: mark.SpanStart, Span: id, Trace: place.request.traceID}.Log()
	}
}

// halfTraceID is the half that is random in every generation of trace ids.
func halfTraceID(spanContext trace.SpanContext) uint64 {
	id := spanContext.TraceID()
	return binary.BigEndian.Uint64(id[8:])
}

// OnEnd passes the span on or holds it: until its request ends, and where the request is chosen, until
// its evidence is there. It never waits.
func (p *SpanProcessor) OnEnd(span sdktrace.ReadOnlySpan) {
	id := span.SpanContext().SpanID()
	place, found := live.take(id, p)
	if !found {
		if span.SpanContext().IsSampled() {
			p.stats.ended.Add(1)
			p.stats.passed(notFollowed, 1)
		}
		p.next.OnEnd(span)
		return
	}
	p.stats.ended.Add(1)
	r := place.request
	if id == r.root {
		p.endRequest(r, place.index, span)
		return
	}
	r.mu.Lock()
	record := &r.spans[place.index]
	record.end = sinceEpoch(span.EndTime())
	if r.state != requestPassed && p.reserve(p.settings.heldMax) {
		record.ended = span
		r.held++
		r.mu.Unlock()
		return
	}
	why := notChosen
	if r.state != requestPassed {
		why = passedFull
	}
	queueWait := r.queueWait(place.index)
	r.mu.Unlock()
	p.pass(withEvidence(span, evidence{queueWaitOnly: true, queueWait: queueWait}), why)
}

// reserve takes room for one held span, if no more than limit are held with it.
func (p *SpanProcessor) reserve(limit int) bool {
	if p.stopped.Load() {
		return false
	}
	if p.held.Add(1) > int64(limit) {
		p.held.Add(-1)
		return false
	}
	return true
}

func (p *SpanProcessor) endRequest(r *request, index int, span sdktrace.ReadOnlySpan) {
	duration := span.EndTime().Sub(span.StartTime())
	chosen := p.chooser.choose(span.Name(), duration) && p.recorder.on.Load()
	why := notChosen
	if chosen && duration > p.settings.window {
		chosen, why = false, passedNotCovered
	}
	r.mu.Lock()
	record := &r.spans[index]
	record.end = sinceEpoch(span.EndTime())
	if chosen && r.state == requestOpen {
		// A quarter of the room is for the spans of requests that are not over: whether they are chosen is not known yet.
		if p.reserve(p.settings.heldMax - p.settings.heldMax/4) {
			record.ended = span
			r.held++
			r.state, r.ending = requestChosen, time.Now()
			r.mu.Unlock()
			p.hand(r)
			return
		}
		why = passedFull
	}
	if r.state == requestPassed {
		why = passedNotCovered
	}
	queueWait := r.queueWait(index)
	r.mu.Unlock()
	p.release(r, why)
	p.pass(withEvidence(span, evidence{queueWaitOnly: true, queueWait: queueWait}), why)
}

// hand gives a chosen request to the analyst.
func (p *SpanProcessor) hand(r *request) {
	p.mu.Lock()
	p.chosen = append(p.chosen, r)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	if p.stopped.Load() {
		// Shutdown may have emptied the list just before.
		p.releaseChosen(passedFlushed)
	}
}

func (p *SpanProcessor) takeChosen() []*request {
	p.mu.Lock()
	defer p.mu.Unlock()
	chosen := p.chosen
	p.chosen = nil
	return chosen
}

func (p *SpanProcessor) releaseChosen(why result) {
	for _, r := range p.takeChosen() {
		p.release(r, why)
	}
}

// release passes on what a request holds, without evidence from the trace, and holds nothing of it any more.
func (p *SpanProcessor) release(r *request, why result) { p.passHeld(r, requestPassed, why) }

// passHeld passes on what a request holds and leaves it in a state.
func (p *SpanProcessor) passHeld(r *request, then requestState, why result) {
	r.mu.Lock()
	r.state = max(r.state, then)
	var ready []sdktrace.ReadOnlySpan
	if r.held > 0 {
		ready = make([]sdktrace.ReadOnlySpan, 0, r.held)
		for i := range r.spans {
			if span := r.spans[i].ended; span != nil {
				ready = append(ready, withEvidence(span, evidence{queueWaitOnly: true, queueWait: r.queueWait(i)}))
				r.spans[i].ended = nil
			}
		}
	}
	r.held = 0
	r.mu.Unlock()
	p.held.Add(-int64(len(ready)))
	for _, span := range ready {
		p.pass(span, why)
	}
}

func (p *SpanProcessor) pass(span sdktrace.ReadOnlySpan, why result) {
	p.stats.passed(why, 1)
	p.next.OnEnd(span)
}

// ForceFlush gives what is held its evidence now, at full speed, passes everything on and flushes the next processor. Spans
// whose request is still open pass without evidence.
func (p *SpanProcessor) ForceFlush(ctx context.Context) error {
	p.hurrying.Add(1)
	defer p.hurrying.Add(-1)
	ready := make(chan struct{})
	select {
	case p.flushes <- ready:
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return p.next.ForceFlush(ctx)
}

// Shutdown gives what is held its evidence while ctx allows, passes everything on, stops the flight recorder and shuts the next processor down.
func (p *SpanProcessor) Shutdown(ctx context.Context) error {
	if p.stopped.Swap(true) {
		return nil
	}
	p.hurrying.Add(1)
	close(p.quit)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.abandoned.Store(true)
		<-p.done
	}
	p.metrics()
	return p.next.Shutdown(ctx)
}
