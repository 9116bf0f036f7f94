// Package gotruth tells from a Go execution trace what really happened during each span's own time.
package gotruth

import (
	"sort"

	"golang.org/x/exp/trace"
)

// Phase is what a moment of a span was spent on.
type Phase uint8

// The phases of a truth file. A Go process has no allocator phase of its own, and cannot tell the network from the far side.
const (
	QueueWait Phase = iota
	Scheduling
	GC
	Allocator
	Processing
	Downstream
	Network
	Unattributed
	phaseCount
)

// PhaseNames are the keys of a truth file, by phase.
var PhaseNames = [phaseCount]string{
	"queue_wait", "scheduling", "gc", "allocator", "processing", "downstream", "network", "unattributed",
}

// noGoroutine stands for the network poller and timers, which wake goroutines without being one.
const noGoroutine = trace.NoGoroutine

// Times are nanoseconds of the trace's clock, unless said otherwise.
type interval struct{ from, to int64 }

// change is a goroutine entering a state, which it keeps until the next change.
type change struct {
	at    int64
	state trace.GoState
	// isCollector tells of a wait that the garbage collector asked for.
	isCollector bool
	// by woke or made the goroutine.
	by trace.GoID
}

// wake is a goroutine made ready by another.
type wake struct {
	at   int64
	goid trace.GoID
}

// goroutine is all that the trace says about one.
type goroutine struct {
	changes []change
	// assists are when it worked for the collector, to be allowed to allocate.
	assists []interval
	// queueing are when its waits were for a pool.
	queueing []interval
	// releases are when it was done with a job.
	releases []int64
	wakes    []wake
}

// mark is a change of who carries a span.
type mark struct {
	at       int64
	goid     trace.GoID
	category string
}

// Span is a span that the process started; End is 0 until it ended.
type Span struct {
	TraceID, SpanID, ParentID string
	Name                      string
	// Kind is the SDK's: 3 is CLIENT, 4 PRODUCER, 5 CONSUMER.
	Kind int
	// StartUnix and EndUnix are the span's own times, as exported without skew.
	StartUnix, EndUnix int64

	marks []mark
	end   mark
	// callsForeign says that a library of another language made spans inside this one.
	callsForeign bool
}

const (
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
)

// waitsAfar tells of spans whose waits are for somebody else.
func (s *Span) waitsAfar() bool { return s.Kind == kindClient || s.Kind == kindProducer }

// clock is a moment on both clocks.
type clock struct{ trace, unix int64 }

// Recording is an execution trace, sorted by who did what.
type Recording struct {
	Spans []*Span
	// Events is how many the trace had.
	Events int

	goroutines map[trace.GoID]*goroutine
	stopped    []interval
	clocks     []clock
}

// offset is what to add to a trace time near the given Unix time.
func (r *Recording) offset(unix int64) int64 {
	at := sort.Search(len(r.clocks), func(i int) bool { return r.clocks[i].unix > unix })
	nearest := r.clocks[max(at-1, 0)]
	return nearest.unix - nearest.trace
}

// indexAt is the change that holds at a time, -1 when the goroutine is not known yet.
func (g *goroutine) indexAt(at int64) int {
	return sort.Search(len(g.changes), func(i int) bool { return g.changes[i].at > at }) - 1
}

// covering tells whether sorted, disjoint intervals cover a time, and until when that stays so.
func covering(intervals []interval, at, limit int64) (covered bool, until int64) {
	i := sort.Search(len(intervals), func(i int) bool { return intervals[i].to > at })
	if i == len(intervals) {
		return false, limit
	}
	if intervals[i].from <= at {
		return true, min(intervals[i].to, limit)
	}
	return false, min(intervals[i].from, limit)
}
