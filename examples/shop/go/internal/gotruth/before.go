package gotruth

import "golang.org/x/exp/trace"

const kindServer = 2

// before is what this process did to a request between its arrival and its span: since the goroutine that started the span was
// ready to run, and those before it that handed the request on. What the kernel had not yet told the runtime is not seen.
func (r *Recording) before(span *Span) (times [phaseCount]int64) {
	if span.Kind != kindServer {
		return times
	}
	line := &timeline{recording: r, span: span}
	id, to := span.marks[0].goid, span.StartUnix-r.offset(span.StartUnix)
	for depth := 0; depth < chainMax; depth++ {
		carrier := r.goroutines[id]
		if carrier == nil {
			break
		}
		since := carrier.readySince(to)
		line.states(carrier, since, to, func(state change, from, to int64) {
			if state.state == trace.GoRunnable {
				line.stoppedOr(Scheduling, from, to)
			}
		})
		first := carrier.indexAt(since)
		if first < 0 || carrier.changes[first].by == noGoroutine {
			break
		}
		id, to = carrier.changes[first].by, since
	}
	for _, one := range line.pieces {
		times[one.phase] += one.to - one.from
	}
	return times
}

// readySince is since when a goroutine has not waited, seen from a time.
func (g *goroutine) readySince(at int64) int64 {
	i := g.indexAt(at)
	for i > 0 && g.changes[i].state != trace.GoWaiting && g.changes[i-1].state != trace.GoWaiting {
		i--
	}
	if i < 0 || g.changes[i].state == trace.GoWaiting {
		return at
	}
	return g.changes[i].at
}
