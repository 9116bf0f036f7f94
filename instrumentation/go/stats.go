package tailspan

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Stats are the processor's own counters since its start.
//
// Every ended span is counted once more under what became of it: Ended is the sum of Evidence, the NotX counters, Flushed, and Held.
type Stats struct {
	// Ended counts the sampled spans that ended.
	Ended int64
	// Evidence counts those passed on with what the execution trace says of them.
	Evidence int64
	// NotChosen: their request was neither slow nor sampled, or the recorder did not run.
	NotChosen int64
	// NotFollowed: too many spans were open, or too many in one request (see Untracked), or they started before the processor.
	NotFollowed int64
	// NotCovered: longer than the window, or the window had moved on before there was time to read it.
	NotCovered int64
	// NotInBudget: the budget for reading traces was spent until their time was over.
	NotInBudget int64
	// NotHeld: the table of held spans was full.
	NotHeld int64
	// NotLinked: the span ended on a goroutine that nothing connects with the one it started on.
	NotLinked int64
	// NotExact: the span's own times and those of the trace disagree, as with spans that are made after the fact.
	NotExact int64
	// NotRead: the snapshot could not be taken or read.
	NotRead int64
	// Flushed: a flush or the shutdown came before the end of their request.
	Flushed int64
	// Held is how many spans are held now.
	Held int64

	// Untracked counts spans that were not followed because a table was full.
	Untracked int64
	// WaitsDropped counts waits beyond the number that one span may keep.
	WaitsDropped int64
	// Recording tells whether the flight recorder is ours; RecorderRefused counts the times it was not to be had.
	Recording       bool
	RecorderRefused int64
	// Snapshots taken, SnapshotsFailed to be taken or read, BytesRead and EventsRead of them.
	Snapshots, SnapshotsFailed, BytesRead, EventsRead int64
	// AnalysisCPU is the CPU time of reading snapshots, which the budget bounds.
	AnalysisCPU time.Duration
}

// result is what became of a span.
type result int

const (
	gotEvidence result = iota
	notChosen
	notFollowed
	passedNotCovered
	passedOverBudget
	passedFull
	passedHandOff
	passedNotExact
	passedFailed
	passedFlushed
	results
)

var resultNames = [results]string{
	"evidence", "not_chosen", "not_followed", "not_covered", "not_in_budget", "not_held", "not_linked", "not_exact", "not_read", "flushed",
}

type counters struct {
	ended, untracked, waitsDropped, recorderRefused   atomic.Int64
	snapshots, snapshotsFailed, bytesRead, eventsRead atomic.Int64
	analysisCPU                                       atomic.Int64
	byResult                                          [results]atomic.Int64
}

func (c *counters) passed(why result, spans int64) { c.byResult[why].Add(spans) }

// Stats returns the counters of now.
func (p *SpanProcessor) Stats() Stats {
	c := &p.stats
	return Stats{
		Ended: c.ended.Load(), Held: p.held.Load(), Untracked: c.untracked.Load(), WaitsDropped: c.waitsDropped.Load(),
		Evidence: c.byResult[gotEvidence].Load(), NotChosen: c.byResult[notChosen].Load(),
		NotFollowed: c.byResult[notFollowed].Load(), NotCovered: c.byResult[passedNotCovered].Load(),
		NotInBudget: c.byResult[passedOverBudget].Load(), NotHeld: c.byResult[passedFull].Load(),
		NotLinked: c.byResult[passedHandOff].Load(), NotRead: c.byResult[passedFailed].Load(),
		NotExact:  c.byResult[passedNotExact].Load(),
		Flushed:   c.byResult[passedFlushed].Load(),
		Recording: p.recorder.on.Load(), RecorderRefused: c.recorderRefused.Load(),
		Snapshots: c.snapshots.Load(), SnapshotsFailed: c.snapshotsFailed.Load(),
		BytesRead: c.bytesRead.Load(), EventsRead: c.eventsRead.Load(),
		AnalysisCPU: time.Duration(c.analysisCPU.Load()),
	}
}

const scopeName = "github.com/tailspan/tailspan/instrumentation/go"

type unregister func()

// publish offers the counters as metrics; a provider that refuses is none of the spans' business.
func (p *SpanProcessor) publish(provider metric.MeterProvider) unregister {
	meter := provider.Meter(scopeName)
	spans, errSpans := meter.Int64ObservableCounter("tailspan.evidence.spans",
		metric.WithUnit("{span}"), metric.WithDescription("Ended spans by what became of their evidence."))
	held, errHeld := meter.Int64ObservableUpDownCounter("tailspan.evidence.held",
		metric.WithUnit("{span}"), metric.WithDescription("Ended spans that wait for their evidence."))
	snapshots, errSnapshots := meter.Int64ObservableCounter("tailspan.evidence.snapshots",
		metric.WithUnit("{snapshot}"), metric.WithDescription("Snapshots of the flight recorder."))
	cpu, errCPU := meter.Float64ObservableCounter("tailspan.evidence.cpu.time",
		metric.WithUnit("s"), metric.WithDescription("CPU time of reading snapshots."))
	recording, errRecording := meter.Int64ObservableGauge("tailspan.evidence.recording",
		metric.WithDescription("1 while the runtime's flight recorder is this library's."))
	for _, err := range []error{errSpans, errHeld, errSnapshots, errCPU, errRecording} {
		if err != nil {
			p.settings.logger.Warn("tailspan: own metrics are not published", "error", err)
			return func() {}
		}
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		for why, name := range resultNames {
			observer.ObserveInt64(spans, p.stats.byResult[why].Load(), metric.WithAttributes(attribute.String("result", name)))
		}
		now := p.Stats()
		observer.ObserveInt64(held, now.Held)
		observer.ObserveInt64(snapshots, now.Snapshots)
		observer.ObserveFloat64(cpu, now.AnalysisCPU.Seconds())
		on := int64(0)
		if now.Recording {
			on = 1
		}
		observer.ObserveInt64(recording, on)
		return nil
	}, spans, held, snapshots, cpu, recording)
	if err != nil {
		p.settings.logger.Warn("tailspan: own metrics are not published", "error", err)
		return func() {}
	}
	return func() { _ = registration.Unregister() }
}
