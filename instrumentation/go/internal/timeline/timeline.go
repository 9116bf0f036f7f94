// Package timeline reads an execution trace of this process into what every goroutine did, when, and who woke it.
package timeline

import (
	"sort"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

// State of a goroutine during a step.
type State uint8

const (
	Unknown State = iota
	Running
	Runnable
	Waiting
	Syscall
	Gone
)

// Why a goroutine waits, or how a step came to be.
type Why uint8

const (
	// ForPeer is a wait that another goroutine may end: a channel, a select, a condition, a wait group.
	ForPeer Why = iota + 1
	// ForTurn is a wait for room: a lock, a full channel, a known pool or semaphore.
	ForTurn
	// ForGC is a wait that the garbage collector imposes.
	ForGC
	// ForOutside is a wait that no goroutine ends: the network, a timer.
	ForOutside
	// InCgo is a system call state that is really a call into C.
	InCgo
)

// G is a goroutine of the trace: a dense number, so that tables can be slices. NoG is none.
type G int32

// NoG stands for "no goroutine": the network poller, a timer, the runtime.
const NoG G = -1

// Step is a goroutine in one state, until its next step.
type Step struct {
	Start int64
	// By is who caused the step: the waker, or the creator.
	By      G
	State   State
	Why     Why
	Created bool
	// Assist is true inside a GC mark assist.
	Assist bool
}

// SpanMarks are where and when a span started and ended. EndG is NoG where the end is not in the trace.
type SpanMarks struct {
	StartG, EndG   G
	StartAt, EndAt int64
	// Moved says that the trace's reader may have moved one of the two times, to keep events in an order that their times deny.
	Moved bool
}

// Item is a pool's item of one span. SubmitG is NoG where its submitter waited for it.
type Item struct {
	SubmitG, RunG   G
	SubmitAt, RunAt int64
}

// owner is a sign that a goroutine served a request at a time.
type owner struct {
	at    int64
	trace uint64
}

// Trace is everything that evidence needs from one snapshot. All times are the trace's clock in nanoseconds.
type Trace struct {
	// From and To bound what was recorded.
	From, To int64
	// Stops are the collector's stop-the-world pauses.
	Stops interval.Set
	// Spans and Items hold only the spans that were asked for.
	Spans map[mark.SpanID]*SpanMarks
	Items map[mark.SpanID][]*Item
	// Events counts what was read; Truncated says that the reader stopped at its limit.
	Events    int
	Truncated bool

	steps  []Step
	first  []int32
	owners [][]owner
	// offset is the trace's clock less the caller's.
	offset int64
}

// Steps of a goroutine in order of time.
func (t *Trace) Steps(g G) []Step {
	if g < 0 || int(g) >= len(t.first)-1 {
		return nil
	}
	return t.steps[t.first[g]:t.first[g+1]]
}

// Goroutines is how many the trace has.
func (t *Trace) Goroutines() int { return len(t.first) - 1 }

// At turns a time of the clock that Clock marks carry into the trace's.
func (t *Trace) At(moment int64) int64 { return moment + t.offset }

// ServesOther tells whether the last mark on g up to a moment belongs to another request.
func (t *Trace) ServesOther(g G, at int64, trace uint64) bool {
	if g < 0 || int(g) >= len(t.owners) {
		return false
	}
	signs := t.owners[g]
	after := sort.Search(len(signs), func(i int) bool { return signs[i].at > at })
	return after > 0 && signs[after-1].trace != trace
}
