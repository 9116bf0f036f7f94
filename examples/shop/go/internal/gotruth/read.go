package gotruth

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/exp/trace"

	"tailspan/shop/internal/truthmark"
)

// eventsMax bounds the memory of one recording, some 4 GB; 40 s of 100 requests a second have a few million.
const eventsMax = 100_000_000

type reader struct {
	recording *Recording
	spans     map[string]*Span
	// open ranges and regions, by goroutine
	assistSince map[trace.GoID]int64
	queueSince  map[trace.GoID]int64
	stopSince   int64
}

// Read takes in an execution trace.
func Read(from io.Reader) (*Recording, error) {
	events, err := trace.NewReader(from)
	if err != nil {
		return nil, err
	}
	r := &reader{
		recording:   &Recording{goroutines: map[trace.GoID]*goroutine{}},
		spans:       map[string]*Span{},
		assistSince: map[trace.GoID]int64{},
		queueSince:  map[trace.GoID]int64{},
	}
	for {
		event, err := events.ReadEvent()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.recording.Events++; r.recording.Events > eventsMax {
			return nil, fmt.Errorf("more than %d events: record less", eventsMax)
		}
		if err := r.take(event); err != nil {
			return nil, err
		}
	}
	if len(r.recording.clocks) == 0 {
		return nil, errors.New("the trace has no clock snapshot; Go 1.25 or later writes them")
	}
	return r.recording, nil
}

func (r *reader) take(event trace.Event) error {
	switch event.Kind() {
	case trace.EventSync:
		if snapshot := event.Sync().ClockSnapshot; snapshot != nil {
			r.recording.clocks = append(r.recording.clocks, clock{trace: int64(snapshot.Trace), unix: snapshot.Wall.UnixNano()})
		}
	case trace.EventStateTransition:
		r.takeTransition(event)
	case trace.EventRangeBegin, trace.EventRangeActive:
		r.takeRange(event, true)
	case trace.EventRangeEnd:
		r.takeRange(event, false)
	case trace.EventRegionBegin:
		if event.Region().Type == truthmark.QueueRegion {
			r.queueSince[event.Goroutine()] = int64(event.Time())
		}
	case trace.EventRegionEnd:
		if since, open := r.queueSince[event.Goroutine()]; open && event.Region().Type == truthmark.QueueRegion {
			own := r.goroutine(event.Goroutine())
			own.queueing = append(own.queueing, interval{since, int64(event.Time())})
			delete(r.queueSince, event.Goroutine())
		}
	case trace.EventLog:
		return r.takeLog(event)
	}
	return nil
}

func (r *reader) goroutine(id trace.GoID) *goroutine {
	known := r.recording.goroutines[id]
	if known == nil {
		known = &goroutine{}
		r.recording.goroutines[id] = known
	}
	return known
}

func (r *reader) takeTransition(event trace.Event) {
	transition := event.StateTransition()
	if transition.Resource.Kind != trace.ResourceGoroutine {
		return
	}
	id := transition.Resource.Goroutine()
	from, to := transition.Goroutine()
	if from == to {
		return
	}
	by := event.Goroutine()
	if by == id {
		by = noGoroutine
	}
	at := int64(event.Time())
	own := r.goroutine(id)
	own.changes = append(own.changes, change{at: at, state: to, isCollector: to == trace.GoWaiting && isCollector(transition.Reason), by: by})
	if to == trace.GoRunnable && by != noGoroutine {
		waker := r.goroutine(by)
		waker.wakes = append(waker.wakes, wake{at, id})
	}
}

// isCollector tells of reasons to wait that the collector brings about: assists that find no work, and goroutines that are
// stopped so that their stacks can be read ("preempted" is a wait only then).
func isCollector(reason string) bool {
	return reason == "preempted" || strings.HasPrefix(reason, "GC ") || reason == "wait until GC ends"
}

func (r *reader) takeRange(event trace.Event, begins bool) {
	named := event.Range()
	at := int64(event.Time())
	switch {
	case strings.HasPrefix(named.Name, "stop-the-world (GC"):
		if begins {
			r.stopSince = at
		} else if r.stopSince != 0 {
			r.recording.stopped = append(r.recording.stopped, interval{r.stopSince, at})
			r.stopSince = 0
		}
	case named.Scope.Kind == trace.ResourceGoroutine && (named.Name == "GC mark assist" || named.Name == "GC incremental sweep"):
		id := named.Scope.Goroutine()
		since, open := r.assistSince[id]
		switch {
		case begins && !open:
			r.assistSince[id] = at
		case !begins && open:
			own := r.goroutine(id)
			own.assists = append(own.assists, interval{since, at})
			delete(r.assistSince, id)
		}
	}
}

func (r *reader) takeLog(event trace.Event) error {
	log := event.Log()
	here := mark{at: int64(event.Time()), goid: event.Goroutine(), category: log.Category}
	switch log.Category {
	case truthmark.Start:
		return r.startSpan(log.Message, here)
	case truthmark.End:
		fields := strings.SplitN(log.Message, " ", 3)
		span := r.spans[fields[0]]
		if span == nil || len(fields) != 3 {
			return nil
		}
		end, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return fmt.Errorf("mark %q: %w", log.Message, err)
		}
		span.EndUnix, span.Name, span.end = end, fields[2], here
	case truthmark.Queue, truthmark.Carry, truthmark.Release:
		if log.Category == truthmark.Release {
			own := r.goroutine(here.goid)
			own.releases = append(own.releases, here.at)
		}
		if span := r.spans[log.Message]; span != nil {
			span.marks = append(span.marks, here)
		}
	case truthmark.Foreign:
		if span := r.spans[log.Message]; span != nil {
			span.callsForeign = true
		}
	}
	return nil
}

func (r *reader) startSpan(message string, here mark) error {
	fields := strings.Fields(message)
	if len(fields) != 5 {
		return fmt.Errorf("mark %q: five fields expected", message)
	}
	kind, err := strconv.Atoi(fields[3])
	if err != nil {
		return fmt.Errorf("mark %q: %w", message, err)
	}
	start, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil || start <= 0 || start == math.MaxInt64 {
		return fmt.Errorf("mark %q: bad start", message)
	}
	span := &Span{TraceID: fields[0], SpanID: fields[1], ParentID: fields[2], Kind: kind, StartUnix: start, marks: []mark{here}}
	r.spans[span.SpanID] = span
	r.recording.Spans = append(r.recording.Spans, span)
	return nil
}
