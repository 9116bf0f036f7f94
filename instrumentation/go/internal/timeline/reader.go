package timeline

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/exp/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

const (
	// paceEvery is how many events are read between two calls of Options.Pace: some 50 microseconds of work.
	paceEvery = 64
	// EventsMax bounds the work and the memory (24 bytes a step) of one reading.
	EventsMax = 2_000_000
)

// ErrStopped is returned when Options.Pace asked to stop.
var ErrStopped = errors.New("reading stopped before its end")

// ErrNoClock is returned when the trace has no Clock mark, and spans can not be found in it.
var ErrNoClock = errors.New("the execution trace has no clock mark")

// Options of one reading.
type Options struct {
	// Wanted are the spans whose marks are kept.
	Wanted map[mark.SpanID]bool
	// Turns are further functions whose waits are waits for a turn.
	Turns map[string]bool
	// Pace, if set, is called every few events: it may sleep, and ends the reading by returning false.
	Pace func() bool
	// EventsMax defaults to the constant of that name.
	EventsMax int
}

// Read turns the bytes of an execution trace into a Trace. A broken trace is an error, never a panic.
func Read(data io.Reader, options Options) (result *Trace, err error) {
	defer func() {
		// x/exp/trace panics on some inconsistent traces; to its reader that is one more broken trace.
		if broken := recover(); broken != nil {
			result, err = nil, fmt.Errorf("broken execution trace: %v", broken)
		}
	}()
	if options.EventsMax == 0 {
		options.EventsMax = EventsMax
	}
	if options.Pace != nil {
		data = pacedReader{data, options.Pace}
	}
	events, err := trace.NewReader(data)
	if err != nil {
		return nil, err
	}
	r := newReader(options)
	for {
		event, err := events.ReadEvent()
		if err == io.EOF {
			return r.finish()
		}
		if err != nil {
			return nil, err
		}
		r.out.Events++
		if r.out.Events%paceEvery == 0 && options.Pace != nil && !options.Pace() {
			return nil, ErrStopped
		}
		if r.out.Events > options.EventsMax {
			r.out.Truncated = true
			return r.finish()
		}
		r.take(event)
	}
}

// pacedReader lets loading a generation's tables, which happens inside one ReadEvent, be paced too.
type pacedReader struct {
	io.Reader
	pace func() bool
}

func (r pacedReader) Read(p []byte) (int, error) {
	if !r.pace() {
		return 0, ErrStopped
	}
	return r.Reader.Read(p)
}

// goroutine is the state of one goroutine while its steps are collected.
type goroutine struct {
	state  State
	why    Why
	assist bool
	steps  int32
}

type reader struct {
	options    Options
	out        *Trace
	dense      map[trace.GoID]G
	goroutines []goroutine
	steps      []Step
	of         []G
	stops      []interval.Interval
	stopping   map[trace.GoID]int64
	waits      stackClasses
	items      map[uint64]*Item
	// starting holds, by goroutine, the marked span whose task comes next; tasks the spans of tasks that are open.
	starting map[G]*SpanMarks
	// generation is when the current one began.
	generation int64
	clocked    bool
	moved      bool
	tasks      map[trace.TaskID]*SpanMarks
}

func newReader(options Options) *reader {
	return &reader{
		options:  options,
		out:      &Trace{From: math.MinInt64, Spans: map[mark.SpanID]*SpanMarks{}, Items: map[mark.SpanID][]*Item{}},
		dense:    map[trace.GoID]G{},
		stopping: map[trace.GoID]int64{},
		waits:    newStackClasses(options.Turns),
		items:    map[uint64]*Item{},
		starting: map[G]*SpanMarks{},
		tasks:    map[trace.TaskID]*SpanMarks{},
	}
}

func (r *reader) take(event trace.Event) {
	at := int64(event.Time())
	if r.out.From == math.MinInt64 {
		r.out.From = at
	}
	// Order wins over time in x/exp/trace: an event that must come after a later one is given the next nanosecond.
	r.moved = at == r.out.To+1
	r.out.To = at
	switch event.Kind() {
	case trace.EventSync:
		r.generation = at
		// A stack's number is only good within its generation.
		r.waits.forget()
	case trace.EventStateTransition:
		r.transition(event, at)
	case trace.EventRangeBegin, trace.EventRangeActive:
		r.rangeBegins(event, at)
	case trace.EventRangeEnd:
		r.rangeEnds(event, at)
	case trace.EventLog:
		r.log(event, at)
	case trace.EventTaskBegin, trace.EventTaskEnd:
		r.task(event, at)
	default:
	}
}

func (r *reader) number(id trace.GoID) G {
	if id == trace.NoGoroutine {
		return NoG
	}
	g, known := r.dense[id]
	if !known {
		g = G(len(r.goroutines))
		r.dense[id] = g
		r.goroutines = append(r.goroutines, goroutine{})
		r.out.owners = append(r.out.owners, nil)
	}
	return g
}

func (r *reader) add(g G, step Step) {
	r.steps = append(r.steps, step)
	r.of = append(r.of, g)
	r.goroutines[g].steps++
}

var states = map[trace.GoState]State{
	trace.GoRunning:  Running,
	trace.GoRunnable: Runnable,
	trace.GoWaiting:  Waiting,
	trace.GoSyscall:  Syscall,
	trace.GoNotExist: Gone,
}

func (r *reader) transition(event trace.Event, at int64) {
	change := event.StateTransition()
	if change.Resource.Kind != trace.ResourceGoroutine {
		return
	}
	from, to := change.Goroutine()
	g := r.number(change.Resource.Goroutine())
	if from == to && r.goroutines[g].steps > 0 {
		// The status that opens a generation: no news for a goroutine seen before.
		return
	}
	step := Step{Start: at, By: NoG, State: states[to], Assist: r.goroutines[g].assist, Created: from == trace.GoNotExist}
	if from == trace.GoUndetermined {
		// Written at the goroutine's first event in a generation, and true since the generation began.
		step.Start = r.generation
	}
	switch step.State {
	case Waiting:
		step.Why = r.waits.ofWait(change.Reason, change.Stack)
	case Syscall:
		step.Why = r.waits.ofSyscall(change.Stack)
	case Runnable:
		if by := event.Goroutine(); by != change.Resource.Goroutine() {
			step.By = r.number(by)
		}
	default:
	}
	r.goroutines[g].state, r.goroutines[g].why = step.State, step.Why
	r.add(g, step)
}

const (
	assistRange = "GC mark assist"
	stopRange   = "stop-the-world (GC"
)

func (r *reader) rangeBegins(event trace.Event, at int64) {
	what := event.Range()
	if what.Scope.Kind != trace.ResourceGoroutine {
		return
	}
	id := what.Scope.Goroutine()
	switch {
	case what.Name == assistRange:
		r.assist(id, at, true)
	case strings.HasPrefix(what.Name, stopRange):
		if _, open := r.stopping[id]; !open {
			r.stopping[id] = at
		}
	}
}

func (r *reader) rangeEnds(event trace.Event, at int64) {
	what := event.Range()
	if what.Scope.Kind != trace.ResourceGoroutine {
		return
	}
	id := what.Scope.Goroutine()
	if what.Name == assistRange {
		r.assist(id, at, false)
		return
	}
	if start, open := r.stopping[id]; open && strings.HasPrefix(what.Name, stopRange) {
		delete(r.stopping, id)
		r.stops = append(r.stops, interval.Interval{Start: start, End: at})
	}
}

// assist splits the goroutine's current step: the same state, now inside an assist or out of it.
func (r *reader) assist(id trace.GoID, at int64, inside bool) {
	g := r.number(id)
	if r.goroutines[g].assist == inside {
		return
	}
	r.goroutines[g].assist = inside
	r.add(g, Step{Start: at, By: NoG, State: r.goroutines[g].state, Why: r.goroutines[g].why, Assist: inside})
}

// finish sorts the steps by goroutine; within one they already are in order of time.
func (r *reader) finish() (*Trace, error) {
	if !r.clocked {
		return nil, ErrNoClock
	}
	for _, start := range r.stopping {
		r.stops = append(r.stops, interval.Interval{Start: start, End: r.out.To})
	}
	r.out.Stops = interval.Union(r.stops)
	r.out.first = make([]int32, len(r.goroutines)+1)
	for g, one := range r.goroutines {
		r.out.first[g+1] = r.out.first[g] + one.steps
	}
	next := append([]int32(nil), r.out.first...)
	r.out.steps = make([]Step, len(r.steps))
	for i, step := range r.steps {
		g := r.of[i]
		r.out.steps[next[g]] = step
		next[g]++
	}
	return r.out, nil
}
