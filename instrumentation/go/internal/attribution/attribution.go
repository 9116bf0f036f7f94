// Package attribution says what a span's self time went to, by following the goroutines that worked for it backward from its end.
//
// While a goroutine of the span runs, that is processing; while it could run and does not, scheduling; inside a mark assist or
// a stop-the-world, gc. While it waits for another goroutine, what counts is what that one did for it: created, woken or
// given an item by the span, it is followed; busy with something else, it is not, and the time stays blocked.
package attribution

import (
	"errors"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
	"github.com/tailspan/tailspan/instrumentation/go/internal/timeline"
)

// Span is what is asked about. All times are those of the clock that the trace's Clock marks carry.
type Span struct {
	ID mark.SpanID
	// Trace is the half of the trace id that marks carry.
	Trace    uint64
	Interval interval.Interval
	// Children are the spans whose parent this is, in this process; what they cover is not this span's self time.
	Children []interval.Interval
	// Waits are waits for a turn that a pool or a semaphore measured itself.
	Waits []interval.Interval
}

// Amounts are nanoseconds of self time. They are disjoint: their sum never exceeds it.
type Amounts struct {
	QueueWait, Scheduling, GC, Processing int64
	// Blocked is waiting that nothing measured: a peer, a timer, the disk, a goroutine busy with something else.
	Blocked int64
}

// Sum of all amounts.
func (a Amounts) Sum() int64 { return a.QueueWait + a.Scheduling + a.GC + a.Processing + a.Blocked }

var (
	// ErrNotCovered says that the trace does not hold the whole span.
	ErrNotCovered = errors.New("the span is not covered by the trace")
	// ErrNotExact says that the span's times and the trace's disagree: the span was made after its end, or the kernel kept a thread in
	// the middle of an event, after which the trace's reader moves the times of events that follow.
	ErrNotExact = errors.New("the span's times are not the trace's")
	// ErrHandOffUnknown says that the span ended on a goroutine that nothing connects with the one it started on.
	ErrHandOffUnknown = errors.New("the span's way from goroutine to goroutine is unknown")
)

const (
	// Where its reader moved times, the trace may see a span's start and end later than the span says by so much and such a share of its length.
	lateMaxNs = 100_000
	lateShare = 50
	// depthMax is how many goroutines deep a wait is followed.
	depthMax = 12
	// handOffsMax is how often a span may change its goroutine, creations of goroutines included.
	handOffsMax = 16
	// stepsMax bounds the work for one span; what is left then is blocked.
	stepsMax = 200_000
	// Under this, a system call that is not cgo counts as running: it hardly left the processor.
	syscallRunningMaxNs = 100_000
)

type class uint8

const (
	blocked class = iota
	queueWait
	scheduling
	gc
	processing
)

// Before is for how long what a span answers had been there when the span started, as far as the runtime knew: since the goroutine
// that started it was ready to run, and those before it that handed the request on. What the network still held is not seen.
func Before(trace *timeline.Trace, id mark.SpanID) int64 {
	marks := trace.Spans[id]
	if marks == nil {
		return 0
	}
	var late int64
	g, to := marks.StartG, marks.StartAt
	for range handOffsMax {
		steps := trace.Steps(g)
		i := current(steps, to)
		for ; i >= 0 && steps[i].State != timeline.Waiting; i-- {
			if steps[i].State == timeline.Runnable {
				late += to - steps[i].Start
			}
			to = steps[i].Start
			if steps[i].Created || i > 0 && steps[i-1].State == timeline.Waiting {
				break
			}
		}
		if i < 0 || steps[i].State == timeline.Waiting || steps[i].By == timeline.NoG {
			break
		}
		g = steps[i].By
	}
	return late
}

// Of answers for one span.
func Of(trace *timeline.Trace, span Span) (Amounts, error) {
	marks := trace.Spans[span.ID]
	whole := toTrace(trace, span.Interval)
	if marks == nil || marks.EndG == timeline.NoG || whole.Start < trace.From {
		return Amounts{}, ErrNotCovered
	}
	if late := max(marks.StartAt-whole.Start, marks.EndAt-whole.End); marks.StartAt > whole.End || marks.Moved && late > lateMaxNs+whole.Length()/lateShare {
		return Amounts{}, ErrNotExact
	}
	w := walk{
		trace: trace, request: span.Trace, items: trace.Items[span.ID], start: whole.Start,
		self:  interval.Without(whole, interval.Union(allToTrace(trace, span.Children))),
		waits: interval.Union(allToTrace(trace, span.Waits)),
	}
	w.start = w.backdated(marks, whole.Start)
	return w.run(marks, min(whole.End, marks.EndAt))
}

func toTrace(trace *timeline.Trace, one interval.Interval) interval.Interval {
	return interval.Interval{Start: trace.At(one.Start), End: trace.At(one.End)}
}

func allToTrace(trace *timeline.Trace, some []interval.Interval) []interval.Interval {
	all := make([]interval.Interval, len(some))
	for i, one := range some {
		all[i] = toTrace(trace, one)
	}
	return all
}

// walk is the state of one answer. It moves from the span's end toward its start, so no moment is booked twice.
type walk struct {
	trace   *timeline.Trace
	request uint64
	items   []*timeline.Item
	start   int64
	self    interval.Set
	waits   interval.Set
	lineage []timeline.G
	amounts Amounts
	steps   int
}

func (w *walk) run(marks *timeline.SpanMarks, end int64) (Amounts, error) {
	g, to := marks.EndG, end
	w.join(marks.StartG)
	for range handOffsMax {
		if g == marks.StartG {
			w.own(g, w.start, to, depthMax)
			return w.amounts, nil
		}
		from, before, at := w.handOff(g, marks.StartG, to)
		if before == timeline.NoG {
			return Amounts{}, ErrHandOffUnknown
		}
		w.own(g, from, to, depthMax)
		w.bookGap(at, from)
		g, to = before, at
	}
	return Amounts{}, ErrHandOffUnknown
}

// backdated moves the start to where the goroutine that started the span last stopped waiting for a peer or the network: a span may
// be given a start before its own creation. Creating one may wait for a lock or the collector, and for nothing else.
func (w *walk) backdated(marks *timeline.SpanMarks, start int64) int64 {
	steps := w.trace.Steps(marks.StartG)
	for i := current(steps, marks.StartAt); i >= 0 && steps[i].Start > start; i-- {
		if i == 0 {
			return steps[i].Start
		}
		if before := steps[i-1]; before.State == timeline.Waiting && (before.Why == timeline.ForPeer || before.Why == timeline.ForOutside) {
			return steps[i].Start
		}
	}
	return start
}

// handOff finds how g came to work for the span: by an item of a pool, by its creation, or woken by the goroutine that started it.
// It answers from when g is the span's, and where the span was before that.
func (w *walk) handOff(g, startG timeline.G, to int64) (from int64, before timeline.G, at int64) {
	for _, item := range w.items {
		if item.RunG == g && item.RunAt < to && item.SubmitG != timeline.NoG && item.SubmitAt <= item.RunAt {
			return item.RunAt, item.SubmitG, item.SubmitAt
		}
	}
	steps := w.trace.Steps(g)
	if len(steps) > 0 && steps[0].Created && steps[0].By != timeline.NoG && steps[0].Start >= w.start {
		return steps[0].Start, steps[0].By, steps[0].Start
	}
	for _, step := range steps[current(steps, w.start)+1:] {
		if step.Start > to {
			break
		}
		if step.By == startG && step.State == timeline.Runnable {
			return step.Start, startG, step.Start
		}
	}
	return 0, timeline.NoG, 0
}

func (w *walk) join(g timeline.G) {
	if !w.ours(g) {
		w.lineage = append(w.lineage, g)
	}
}

func (w *walk) ours(g timeline.G) bool {
	for _, member := range w.lineage {
		if member == g {
			return true
		}
	}
	return false
}

// bookGap is the time in which the span was on no goroutine: a wait for a turn as far as one was measured.
func (w *walk) bookGap(from, to int64) { w.bookWait(from, to, nil) }

// bookWait books what a pool or semaphore measured as waiting for a turn, and hands the rest to explain, latest first.
func (w *walk) bookWait(from, to int64, explain func(from, to int64)) {
	if explain == nil {
		explain = func(from, to int64) { w.book(blocked, from, to) }
	}
	whole := interval.Interval{Start: from, End: to}
	w.waits.Each(whole, func(piece interval.Interval) { w.book(queueWait, piece.Start, piece.End) })
	rest := interval.Without(whole, w.waits)
	for i := len(rest) - 1; i >= 0; i-- {
		explain(rest[i].Start, rest[i].End)
	}
}

// book adds the self time inside [from, to) to a class; what falls into a stop-the-world is gc whether it ran or would have.
func (w *walk) book(what class, from, to int64) {
	w.self.Each(interval.Interval{Start: from, End: to}, func(piece interval.Interval) {
		length := piece.Length()
		if what == processing || what == scheduling {
			stopped := w.trace.Stops.Overlap(piece)
			w.amounts.GC += stopped
			length -= stopped
		}
		switch what {
		case queueWait:
			w.amounts.QueueWait += length
		case scheduling:
			w.amounts.Scheduling += length
		case gc:
			w.amounts.GC += length
		case processing:
			w.amounts.Processing += length
		default:
			w.amounts.Blocked += length
		}
	})
}
