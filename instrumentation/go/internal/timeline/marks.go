package timeline

import (
	"golang.org/x/exp/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

func (r *reader) log(event trace.Event, at int64) {
	log := event.Log()
	if log.Category != mark.Category {
		return
	}
	m, ok := mark.Parse(log.Message)
	g := r.number(event.Goroutine())
	if !ok || g == NoG {
		return
	}
	if m.Kind == mark.Clock {
		r.clock(at - int64(m.Item))
		return
	}
	r.out.owners[g] = append(r.out.owners[g], owner{at, m.Trace})
	// Whatever span comes next on this goroutine, a task that follows is its, not an earlier one's.
	delete(r.starting, g)
	if !r.options.Wanted[m.Span] {
		return
	}
	if m.Kind != mark.SpanStart {
		r.item(m, g, at)
		return
	}
	span := &SpanMarks{StartG: g, StartAt: at, EndG: NoG, Moved: r.moved}
	r.out.Spans[m.Span] = span
	r.starting[g] = span
}

// task connects the SDK's task with the span whose mark was written just before it, and takes the span's end from the task's.
func (r *reader) task(event trace.Event, at int64) {
	g := r.number(event.Goroutine())
	if g == NoG {
		return
	}
	id := event.Task().ID
	if event.Kind() == trace.EventTaskBegin {
		if span := r.starting[g]; span != nil {
			delete(r.starting, g)
			r.tasks[id] = span
		}
		return
	}
	if span := r.tasks[id]; span != nil {
		delete(r.tasks, id)
		span.EndG, span.EndAt = g, at
		span.Moved = span.Moved || r.moved
	}
}

// clock keeps the smallest distance: a mark is written after its time was read, how long after depends on who else had the processor.
// The trace's own clock snapshots are taken once a generation, and are off by as much as that thread was kept.
func (r *reader) clock(distance int64) {
	if !r.moved && (!r.clocked || distance < r.out.offset) {
		r.clocked, r.out.offset = true, distance
	}
}

func (r *reader) item(m mark.Mark, g G, at int64) {
	item := r.items[m.Item]
	if item == nil {
		item = &Item{SubmitG: NoG, RunG: NoG}
		r.items[m.Item] = item
		r.out.Items[m.Span] = append(r.out.Items[m.Span], item)
	}
	if m.Kind == mark.Submit {
		item.SubmitG, item.SubmitAt = g, at
	} else {
		item.RunG, item.RunAt = g, at
	}
}
