package gotruth

import (
	"math"
	"slices"

	"golang.org/x/exp/trace"

	"tailspan/shop/internal/truthmark"
)

// chainMax is how many goroutines a wait is followed through.
const chainMax = 8

// Placed is a stretch of a span's own time, in Unix nanoseconds.
type Placed struct {
	Phase    Phase
	From, To int64
}

// Truth is what happened during a span's own time: in order, without gaps other than its children.
type Truth struct {
	Span   *Span
	Placed []Placed
	Self   [phaseCount]int64
	// Before is what kept a server span from starting.
	Before [phaseCount]int64
}

// Fold tells the truth of every span that ended. foreign are the times of spans that another SDK in this process made, by trace.
func (r *Recording) Fold(foreign map[string][]Placed) []Truth {
	children := map[string][]interval{}
	for _, span := range r.Spans {
		if span.EndUnix > 0 {
			children[span.ParentID] = append(children[span.ParentID], interval{span.StartUnix, span.EndUnix})
		}
	}
	var truths []Truth
	for _, span := range r.Spans {
		if span.EndUnix <= span.StartUnix {
			continue
		}
		covered := children[span.SpanID]
		if span.callsForeign {
			for _, piece := range foreign[span.TraceID] {
				covered = append(covered, interval{piece.From, piece.To})
			}
		}
		truths = append(truths, r.fold(span, union(covered)))
	}
	return truths
}

func union(intervals []interval) []interval {
	slices.SortFunc(intervals, func(a, b interval) int { return int(min(max(a.from-b.from, -1), 1)) })
	merged := intervals[:0]
	for _, next := range intervals {
		if last := len(merged) - 1; last >= 0 && next.from <= merged[last].to {
			merged[last].to = max(merged[last].to, next.to)
		} else {
			merged = append(merged, next)
		}
	}
	return merged
}

func (r *Recording) fold(span *Span, children []interval) Truth {
	offset := r.offset(span.StartUnix)
	line := &timeline{recording: r, span: span, offset: offset}
	line.follow(span.StartUnix-offset, span.EndUnix-offset)
	line.paintWakes()
	truth := Truth{Span: span, Before: r.before(span)}
	for _, piece := range line.pieces {
		from, to := piece.from+offset, piece.to+offset
		for from < to {
			covered, until := covering(children, from, to)
			if !covered {
				truth.add(Placed{piece.phase, from, until})
			}
			from = until
		}
	}
	return truth
}

func (t *Truth) add(piece Placed) {
	t.Self[piece.Phase] += piece.To - piece.From
	if last := len(t.Placed) - 1; last >= 0 && t.Placed[last].Phase == piece.Phase && t.Placed[last].To == piece.From {
		t.Placed[last].To = piece.To
		return
	}
	t.Placed = append(t.Placed, piece)
}

// timeline is a span's time, filled from its start to its end without gaps, on the trace's clock.
type timeline struct {
	recording *Recording
	span      *Span
	offset    int64
	pieces    []piece
}

type piece struct {
	phase Phase
	// isAfar says that the carrier could do nothing but wait for the far side.
	isAfar   bool
	from, to int64
}

func (l *timeline) put(phase Phase, from, to int64) {
	if to > from {
		l.pieces = append(l.pieces, piece{phase, false, from, to})
	}
}

// await is a wait that nobody in this process explains.
func (l *timeline) await(from, to int64) {
	if to > from {
		l.pieces = append(l.pieces, piece{l.unknown(), l.span.waitsAfar(), from, to})
	}
}

// follow goes from carrier to carrier.
func (l *timeline) follow(from, to int64) {
	marks := l.span.marks
	if l.isBuffered() {
		l.queued(from, to, l.span.end)
		return
	}
	owner, queuer := marks[0].goid, marks[0].goid
	queuing := false
	for _, next := range marks[1:] {
		at := min(max(next.at, from), to)
		if queuing {
			l.queued(from, at, next)
		} else {
			l.carried(owner, from, at, 0)
		}
		from, queuing = at, false
		switch next.category {
		case truthmark.Queue:
			queuer, queuing = next.goid, true
		case truthmark.Carry:
			owner = next.goid
		case truthmark.Release:
			owner = queuer
		}
	}
	if queuing {
		l.put(QueueWait, from, to)
		return
	}
	l.carried(owner, from, to, 0)
}

// isBuffered tells of records that a consumer has fetched, and that wait until it polls: started by one goroutine, ended by another.
func (l *timeline) isBuffered() bool {
	return l.span.Kind == kindConsumer && len(l.span.marks) == 1 && l.span.marks[0].goid != l.span.end.goid
}

// queued is the time until a worker took the span. From when the worker was free and ready, it is the scheduler that kept it.
func (l *timeline) queued(from, to int64, taken mark) {
	worker := l.recording.goroutines[taken.goid]
	if worker == nil {
		l.put(QueueWait, from, to)
		return
	}
	free := from - 1
	if i := lastBefore(worker.releases, to); i >= 0 {
		free = max(free, worker.releases[i])
	}
	for i := worker.indexAt(to); i > 0 && worker.changes[i].at > free; i-- {
		if worker.changes[i-1].state == trace.GoWaiting {
			free = worker.changes[i].at
			break
		}
	}
	if free < from {
		l.put(QueueWait, from, to)
		return
	}
	free = min(free, to)
	l.put(QueueWait, from, free)
	l.states(worker, free, to, func(state change, from, to int64) {
		if state.state == trace.GoRunnable {
			l.stoppedOr(Scheduling, from, to)
		} else {
			l.put(QueueWait, from, to)
		}
	})
}

func lastBefore(times []int64, at int64) int {
	i, found := slices.BinarySearch(times, at)
	if found {
		return i
	}
	return i - 1
}

// states goes through what a goroutine was, from change to change.
func (l *timeline) states(g *goroutine, from, to int64, visit func(state change, from, to int64)) {
	for i := g.indexAt(from); from < to; i++ {
		until := to
		if i+1 < len(g.changes) {
			until = min(until, g.changes[i+1].at)
		}
		state := change{state: trace.GoNotExist}
		if i >= 0 {
			state = g.changes[i]
		}
		if until > from {
			visit(state, from, until)
		}
		from = max(from, until)
	}
}

// carried is the time that a goroutine spent for the span.
func (l *timeline) carried(id trace.GoID, from, to int64, depth int) {
	g := l.recording.goroutines[id]
	if g == nil {
		l.put(Unattributed, from, to)
		return
	}
	l.states(g, from, to, func(state change, from, to int64) {
		switch state.state {
		case trace.GoRunning:
			l.ran(g, from, to)
		case trace.GoSyscall:
			l.put(l.own(), from, to)
		case trace.GoRunnable:
			l.stoppedOr(Scheduling, from, to)
		case trace.GoWaiting:
			l.waited(g, id, state, interval{from, to}, depth)
		default:
			l.put(l.unknown(), from, to)
		}
	})
}

// own is what this process's work in the span counts as. A client span's is the far side's: a database in this process is one too.
func (l *timeline) own() Phase {
	if l.span.waitsAfar() {
		return Downstream
	}
	return Processing
}

// unknown is what a wait counts as that nobody explains.
func (l *timeline) unknown() Phase {
	if l.span.waitsAfar() {
		return Downstream
	}
	return Unattributed
}

func (l *timeline) ran(g *goroutine, from, to int64) {
	for from < to {
		assists, until := covering(g.assists, from, to)
		if assists {
			l.put(GC, from, until)
		} else {
			l.stoppedOr(l.own(), from, until)
		}
		from = until
	}
}

// stoppedOr counts as gc what falls into a stop of the world.
func (l *timeline) stoppedOr(phase Phase, from, to int64) {
	for from < to {
		stopped, until := covering(l.recording.stopped, from, to)
		if stopped {
			l.put(GC, from, until)
		} else {
			l.put(phase, from, until)
		}
		from = until
	}
}

// waited looks for what kept a waiting goroutine.
func (l *timeline) waited(g *goroutine, id trace.GoID, state change, during interval, depth int) {
	if state.isCollector {
		l.put(GC, during.from, during.to)
		return
	}
	for during.from < during.to {
		queueing, until := covering(g.queueing, during.from, during.to)
		// Who assists may have to wait for others who do, or for the end of the cycle, on the runtime's own semaphores.
		assisting, until := covering(g.assists, during.from, until)
		switch {
		case assisting:
			l.put(GC, during.from, until)
		case queueing:
			l.put(QueueWait, during.from, until)
		default:
			l.blocked(g, id, interval{during.from, until}, depth)
		}
		during.from = until
	}
}

// blocked follows a wait to the goroutine that ended it: one that works for this span explains all of the wait; any other explains
// how long it was ready to end it (the reader of a connection with the answer, the holder of a lock) and not run.
func (l *timeline) blocked(g *goroutine, id trace.GoID, during interval, depth int) {
	waker := l.wakerAfter(g, during)
	if other := l.recording.goroutines[waker]; other != nil && depth < chainMax {
		if madeBy, born := other.origin(); madeBy == id && born >= l.span.StartUnix-l.offset && born <= during.to {
			born = max(born, during.from)
			l.await(during.from, born)
			l.carried(waker, born, during.to, depth+1)
			return
		}
	}
	l.endedBy(waker, during, depth)
}

// endedBy is a wait that a goroutine ended which was not made for it.
func (l *timeline) endedBy(id trace.GoID, during interval, depth int) {
	ender := l.recording.goroutines[id]
	if ender == nil || depth >= chainMax {
		l.await(during.from, during.to)
		return
	}
	waiting, late := ender.lastWait(during.to)
	if madeBy, born := ender.origin(); late < born && born > during.from && born <= during.to {
		// It was made to go on where its maker was: what kept that one from making it came first.
		l.endedBy(madeBy, interval{during.from, born}, depth+1)
		l.late(ender, interval{born, during.to})
		return
	}
	waiting, late = max(waiting, during.from), max(late, during.from)
	l.await(during.from, waiting)
	if late > waiting {
		l.blocked(ender, id, interval{waiting, late}, depth+1)
	}
	l.late(ender, interval{late, during.to})
}

// late is how long a goroutine that had all it needed did not run; what it did when it ran was for others too.
func (l *timeline) late(g *goroutine, during interval) {
	l.states(g, during.from, during.to, func(state change, from, to int64) {
		if state.state == trace.GoRunnable {
			l.stoppedOr(Scheduling, from, to)
		} else {
			l.put(l.unknown(), from, to)
		}
	})
}

// wakerAfter is who ended a wait; of one that outlives the span, who ended the span in its stead.
func (l *timeline) wakerAfter(g *goroutine, during interval) trace.GoID {
	i := g.indexAt(during.from) + 1
	outlives := i >= len(g.changes) || g.changes[i].at > during.to
	if outlives && during.to >= l.span.EndUnix-l.offset {
		return l.span.end.goid
	}
	if i >= len(g.changes) {
		return noGoroutine
	}
	return g.changes[i].by
}

func (g *goroutine) origin() (by trace.GoID, at int64) {
	if len(g.changes) == 0 || g.changes[0].state != trace.GoRunnable {
		return noGoroutine, 0
	}
	return g.changes[0].by, g.changes[0].at
}

// lastWait is the last wait of a goroutine that was over by a time; what it did before was for others.
func (g *goroutine) lastWait(at int64) (from, to int64) {
	for i := g.indexAt(at); i > 0; i-- {
		if g.changes[i-1].state == trace.GoWaiting && g.changes[i].state != trace.GoWaiting {
			return g.changes[i-1].at, g.changes[i].at
		}
	}
	return math.MinInt64, math.MinInt64
}

// paintWakes finds the helpers that a call hands its request to (the writer of a connection): until they run, nothing is sent.
func (l *timeline) paintWakes() {
	if !l.span.waitsAfar() || len(l.pieces) == 0 {
		return
	}
	from, to := l.pieces[0].from, l.pieces[len(l.pieces)-1].to
	l.paintWakesOf(l.span.marks[0].goid, interval{from, to}, 0)
}

func (l *timeline) paintWakesOf(id trace.GoID, during interval, depth int) {
	waker := l.recording.goroutines[id]
	if waker == nil || depth >= chainMax {
		return
	}
	first, _ := slices.BinarySearchFunc(waker.wakes, during.from, func(w wake, at int64) int { return int(min(max(w.at-at, -1), 1)) })
	for _, woken := range waker.wakes[first:] {
		if woken.at >= during.to {
			return
		}
		helper := l.recording.goroutines[woken.goid]
		if madeBy, born := helper.origin(); madeBy == id && born == woken.at {
			// It does nothing but go on with the call, and whom it wakes does too.
			l.paintWakesOf(woken.goid, interval{woken.at, during.to}, depth+1)
		}
		i := helper.indexAt(woken.at)
		if i < 0 || i+1 >= len(helper.changes) || helper.changes[i].state != trace.GoRunnable {
			continue
		}
		l.repaint(woken.at, min(helper.changes[i+1].at, during.to))
	}
}

// repaint turns waiting for the far side into scheduling.
func (l *timeline) repaint(from, to int64) {
	pieces := l.pieces
	l.pieces = nil
	for _, one := range pieces {
		if !one.isAfar || one.to <= from || one.from >= to {
			l.pieces = append(l.pieces, one)
			continue
		}
		l.await(one.from, from)
		l.put(Scheduling, max(one.from, from), min(one.to, to))
		l.await(to, one.to)
	}
}
