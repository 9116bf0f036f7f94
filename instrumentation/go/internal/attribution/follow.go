package attribution

import (
	"sort"

	"github.com/tailspan/tailspan/instrumentation/go/internal/timeline"
)

// current is the step that is current just before a moment, -1 when the goroutine was not seen yet.
func current(steps []timeline.Step, moment int64) int {
	return sort.Search(len(steps), func(i int) bool { return steps[i].Start >= moment }) - 1
}

// own books everything that g did in [from, to) as the span's.
func (w *walk) own(g timeline.G, from, to int64, depth int) {
	w.join(g)
	steps := w.trace.Steps(g)
	for i := current(steps, to); i >= 0 && to > from; i-- {
		if w.steps++; w.steps > stepsMax {
			break
		}
		step := steps[i]
		begin := max(step.Start, from)
		if step.State == timeline.Waiting {
			w.wait(g, i, begin, to, depth)
		} else {
			w.book(classOf(step, to-begin), begin, to)
		}
		to = begin
		if step.Created && to > from {
			// Before its creation its creator worked for it.
			w.peer(step.By, g, from, to, depth)
			return
		}
	}
	if to > from {
		w.book(blocked, from, to)
	}
}

func classOf(step timeline.Step, length int64) class {
	switch step.State {
	case timeline.Running:
		if step.Assist {
			return gc
		}
		return processing
	case timeline.Runnable:
		return scheduling
	case timeline.Syscall:
		if step.Why == timeline.InCgo || length <= syscallRunningMaxNs {
			return processing
		}
		return blocked
	default:
		return blocked
	}
}

// wait books [from, to) of the i-th step of g, a wait.
func (w *walk) wait(g timeline.G, i int, from, to int64, depth int) {
	steps := w.trace.Steps(g)
	step := steps[i]
	switch {
	case step.Why == timeline.ForGC || step.Assist:
		w.book(gc, from, to)
	case step.Why == timeline.ForTurn:
		w.book(queueWait, from, to)
	case step.Why == timeline.ForPeer && i+1 < len(steps) && steps[i+1].State == timeline.Runnable:
		waker := steps[i+1].By
		w.bookWait(from, to, func(from, to int64) { w.peer(waker, g, from, to, depth) })
	default:
		w.bookWait(from, to, nil)
	}
}

// peer books [from, to), in which g could not go on before another goroutine did: what that one did for it, as far as it was for it.
func (w *walk) peer(other, g timeline.G, from, to int64, depth int) {
	if other == timeline.NoG || other == g || depth == 0 || w.steps > stepsMax {
		w.book(blocked, from, to)
		return
	}
	since := w.worksSince(other, from, to)
	if since < to {
		w.own(other, since, to, depth-1)
	}
	if from < since {
		w.book(blocked, from, min(since, to))
	}
}

// worksSince is the moment in [from, to] from which on the other goroutine worked for the span; to when it never did.
func (w *walk) worksSince(other timeline.G, from, to int64) int64 {
	if w.trace.ServesOther(other, to, w.request) {
		return to
	}
	if since, ok := w.itemSince(other, from, to); ok {
		return since
	}
	steps := w.trace.Steps(other)
	i := current(steps, from+1)
	switch {
	case i < 0:
		// Not seen yet at that moment: created later, or unknown until its first step.
		if len(steps) > 0 && steps[0].Created {
			return from
		}
		return min(to, firstStart(steps, to))
	case steps[i].State != timeline.Waiting && w.linked(steps, i):
		return from
	default:
		return max(from, w.lastTurn(steps, i, from, to))
	}
}

func firstStart(steps []timeline.Step, otherwise int64) int64 {
	if len(steps) == 0 {
		return otherwise
	}
	return steps[0].Start
}

// lastTurn is since when a goroutine that works for others too worked for the span, if it did: since it went to wait for the last
// time. What it was late with before that was somebody else's (the reader of a connection has an answer for each of many calls). One
// that the span woke meanwhile works for it all along; one that never waited never does.
func (w *walk) lastTurn(steps []timeline.Step, i int, from, to int64) int64 {
	since := to
	for j := current(steps, to); j >= i; j-- {
		if w.steps++; w.steps > stepsMax {
			break
		}
		if steps[j].State == timeline.Waiting {
			if since == to && (steps[j].Why == timeline.ForPeer || steps[j].Why == timeline.ForOutside) {
				since = steps[j].Start
			}
		} else if j > i && steps[j-1].State == timeline.Waiting && steps[j].By != timeline.NoG && steps[j].Start >= w.start && w.descends(steps[j].By) {
			return from
		}
	}
	return since
}

// itemSince is when a pool's worker began the last item of the span before to, or was woken for it where it had idled.
func (w *walk) itemSince(worker timeline.G, from, to int64) (int64, bool) {
	var last *timeline.Item
	for _, item := range w.items {
		if item.RunG == worker && item.RunAt < to && (last == nil || item.RunAt > last.RunAt) {
			last = item
		}
	}
	if last == nil {
		return 0, false
	}
	return max(from, w.workerWoken(worker, last)), true
}

// workerWoken is when the worker was woken by the span for the item; where it came from another item, when it began this one.
func (w *walk) workerWoken(worker timeline.G, item *timeline.Item) int64 {
	steps := w.trace.Steps(worker)
	for i := current(steps, item.RunAt); i >= 0; i-- {
		if steps[i].State != timeline.Runnable && steps[i].State != timeline.Running {
			break
		}
		if steps[i].By != timeline.NoG {
			if w.ours(steps[i].By) && steps[i].Start >= w.start {
				return steps[i].Start
			}
			break
		}
	}
	return item.RunAt
}

// linked tells whether the busy period that step i belongs to began with the span: woken or created by one of its goroutines.
func (w *walk) linked(steps []timeline.Step, i int) bool {
	for ; i >= 0; i-- {
		step := steps[i]
		if step.Created {
			return step.Start >= w.start && w.descends(step.By)
		}
		if i > 0 && steps[i-1].State == timeline.Waiting {
			return step.Start >= w.start && w.ours(step.By)
		}
		if w.steps++; w.steps > stepsMax {
			break
		}
	}
	return false
}

// descends tells whether a goroutine is the span's or was created, over some generations, by one that is.
func (w *walk) descends(g timeline.G) bool {
	for range handOffsMax {
		if w.ours(g) {
			return true
		}
		steps := w.trace.Steps(g)
		if len(steps) == 0 || !steps[0].Created || steps[0].Start < w.start {
			return false
		}
		g = steps[0].By
	}
	return false
}
