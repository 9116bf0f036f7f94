package tailspan

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/attribution"
	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
	"github.com/tailspan/tailspan/instrumentation/go/internal/timeline"
)

const (
	// lookEvery is the beat at which the analyst looks for held spans whose time is over.
	lookEvery = 250 * time.Millisecond
	// openMax is after how long an open span is forgotten: most likely nobody will end it.
	openMax = 15 * time.Minute
	// passBurst and passRest keep the next processor's queue from overflowing when an analysis frees many spans at once.
	passBurst = 256
	passRest  = 5 * time.Millisecond
	// cutMargin allows for the wall clock having been set, when generations are chosen by it.
	cutMargin = 50 * time.Millisecond
)

// analyst is the one background goroutine: it takes snapshots, reads them within its budget, and passes spans on.
type analyst struct {
	p       *SpanProcessor
	budget  budget
	waiting []*request
	began   time.Time
	resting bool
	last    time.Time
	asked   time.Time
	swept   time.Time
	burst   int
}

func newAnalyst(p *SpanProcessor) *analyst {
	now := time.Now()
	return &analyst{p: p, budget: newBudget(p.settings.budget, p.settings.burst, now), began: now, asked: now, swept: now}
}

func (a *analyst) run() {
	defer close(a.p.done)
	beat := time.NewTicker(lookEvery)
	defer beat.Stop()
	gathered := time.NewTimer(gatherFor)
	defer gathered.Stop()
	for {
		select {
		case <-a.p.wake:
			gathered.Reset(gatherFor)
			continue
		case <-gathered.C:
		case <-beat.C:
		case flushed := <-a.p.flushes:
			a.flush()
			close(flushed)
			continue
		case <-a.p.quit:
			a.flush()
			a.p.recorder.stop()
			live.forget(func(r *request) bool { return r.owner == a.p })
			return
		}
		a.look(time.Now())
	}
}

// look does what is due: evidence for the requests that wait, when the budget allows; release of those that waited too long.
func (a *analyst) look(now time.Time) {
	a.waiting = append(a.waiting, a.p.takeChosen()...)
	if len(a.waiting) > 0 && now.Sub(a.waiting[0].ending) >= gatherFor && now.Sub(a.last) >= snapshotEvery && a.budget.allows(now) {
		a.analyze()
	}
	a.expire(now)
	if now.Sub(a.swept) >= time.Second {
		a.sweep(now)
	}
	a.tend(now)
}

// tend starts the recorder where it should run, and stops it for its rests.
func (a *analyst) tend(now time.Time) {
	s := a.p.settings
	resting := s.recording < 1 && float64(now.Sub(a.began)%s.period) >= s.recording*float64(s.period)
	switch on := a.p.recorder.on.Load(); {
	case on && resting:
		a.rest(now)
	case !on && !resting && (a.resting || now.Sub(a.asked) >= recorderRetry):
		a.asked, a.resting = now, false
		a.p.startRecorder()
	}
}

// rest stops the recorder, after what was chosen has had its last chance.
func (a *analyst) rest(now time.Time) {
	a.waiting = append(a.waiting, a.p.takeChosen()...)
	if len(a.waiting) > 0 && a.budget.allows(now) {
		a.analyze()
	}
	for _, r := range a.waiting {
		a.release(r, passedOverBudget)
	}
	a.waiting = nil
	a.p.recorder.stop()
	a.resting = true
}

// flush is look without patience.
func (a *analyst) flush() {
	a.waiting = append(a.waiting, a.p.takeChosen()...)
	if len(a.waiting) > 0 {
		a.analyze()
	}
	for r := range live.openBefore(a.p, time.Now()) {
		a.p.passHeld(r, requestOpen, passedFlushed)
	}
}

// expire passes on the requests that nobody had time for.
func (a *analyst) expire(now time.Time) {
	kept := a.waiting[:0]
	for _, r := range a.waiting {
		if now.Sub(r.ending) > a.p.settings.hold {
			a.release(r, passedOverBudget)
		} else {
			kept = append(kept, r)
		}
	}
	clear(a.waiting[len(kept):])
	a.waiting = kept
}

// sweep lets go of requests that are open for longer than the recorder remembers, and forgets spans that nobody ends.
func (a *analyst) sweep(now time.Time) {
	a.swept = now
	for r := range live.openBefore(a.p, now.Add(-a.p.settings.window)) {
		a.p.passHeld(r, requestPassed, passedNotCovered)
	}
	forgotten := now.Add(-openMax)
	live.forget(func(r *request) bool { return r.owner == a.p && r.opened.Before(forgotten) })
}

// release passes a request's spans on, with rests after every burst.
func (a *analyst) release(r *request, why result) {
	a.burst += r.heldSpans()
	a.p.release(r, why)
	if a.burst >= passBurst {
		a.burst = 0
		time.Sleep(passRest)
	}
}

// analyze takes one snapshot for all that wait, and passes every one of them on.
func (a *analyst) analyze() {
	requests := a.waiting
	a.waiting = nil
	pace := newPacer(a.p)
	runtime.LockOSThread()
	pace.begin()
	trace, err := a.read(requests, pace)
	for _, r := range requests {
		if err != nil {
			a.release(r, reasonOf(err))
			continue
		}
		a.explain(trace, r)
		pace.check()
	}
	spent := pace.spent()
	runtime.UnlockOSThread()
	a.p.stats.analysisCPU.Add(int64(spent))
	a.last = time.Now()
	a.budget.spend(spent, a.last)
}

func reasonOf(err error) result {
	if errors.Is(err, timeline.ErrStopped) {
		return passedOverBudget
	}
	return passedFailed
}

func (a *analyst) read(requests []*request, pace *pacer) (*timeline.Trace, error) {
	snapshot, err := a.p.recorder.snapshot()
	if err != nil {
		a.p.stats.snapshotsFailed.Add(1)
		return nil, err
	}
	a.p.stats.snapshots.Add(1)
	wanted, since := want(requests)
	snapshot = timeline.Cut(snapshot, epoch.Add(time.Duration(since)).Add(-cutMargin).UnixNano())
	a.p.stats.bytesRead.Add(int64(len(snapshot)))
	trace, err := timeline.Read(bytes.NewReader(snapshot), timeline.Options{Wanted: wanted, Turns: a.p.settings.turns, Pace: pace.check})
	if err != nil {
		if !errors.Is(err, timeline.ErrStopped) {
			a.p.stats.snapshotsFailed.Add(1)
		}
		return nil, err
	}
	a.p.stats.eventsRead.Add(int64(trace.Events))
	return trace, nil
}

// want lists the spans to find and the earliest start among them.
func want(requests []*request) (wanted map[mark.SpanID]bool, since int64) {
	wanted, since = map[mark.SpanID]bool{}, math.MaxInt64
	for _, r := range requests {
		r.mu.Lock()
		for i := range r.spans {
			if r.spans[i].ended != nil {
				wanted[r.spans[i].id] = true
				since = min(since, r.spans[i].start)
			}
		}
		r.mu.Unlock()
	}
	return wanted, since
}

// explain passes a request's spans on with what the trace says of each.
func (a *analyst) explain(trace *timeline.Trace, r *request) {
	type answer struct {
		span sdktrace.ReadOnlySpan
		why  result
	}
	var answers []answer
	r.mu.Lock()
	for i := range r.spans {
		span := r.spans[i].ended
		if span == nil {
			continue
		}
		r.spans[i].ended = nil
		found, why := r.ask(trace, i)
		found.ofCall = isCall(span)
		found.beginsRequest = r.spans[i].id == r.root && span.SpanKind() == oteltrace.SpanKindServer
		answers = append(answers, answer{withEvidence(span, found), why})
	}
	r.state, r.held = requestPassed, 0
	r.mu.Unlock()
	a.p.held.Add(-int64(len(answers)))
	for _, one := range answers {
		a.p.pass(one.span, one.why)
		if a.burst++; a.burst >= passBurst {
			a.burst = 0
			time.Sleep(passRest)
		}
	}
}

func whyNot(err error) result {
	switch {
	case errors.Is(err, attribution.ErrNotCovered):
		return passedNotCovered
	case errors.Is(err, attribution.ErrNotExact):
		return passedNotExact
	default:
		return passedHandOff
	}
}

// ask is the evidence of one span. Callers hold mu.
func (r *request) ask(trace *timeline.Trace, index int) (evidence, result) {
	record := &r.spans[index]
	amounts, err := attribution.Of(trace, attribution.Span{
		ID: record.id, Trace: r.traceID,
		Interval: interval.Interval{Start: record.start, End: record.end},
		Children: r.childrenOf(index),
		Waits:    record.waits,
	})
	if err != nil {
		return evidence{queueWaitOnly: true, queueWait: r.queueWait(index)}, whyNot(err)
	}
	return evidence{
		queueWait: amounts.QueueWait, scheduling: amounts.Scheduling, gc: amounts.GC,
		processing: amounts.Processing, blocked: amounts.Blocked,
		before: attribution.Before(trace, record.id),
	}, gotEvidence
}
