package tailspan

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
)

// request is a local root span and its descendants in this process: what is chosen, held and given evidence together.
//
//	open --root ends--> chosen --analyzed, too late--> passed
//	  |                                                  ^
//	  '--root ends and not chosen, or held too long-----'
type request struct {
	owner   *SpanProcessor
	traceID uint64
	root    trace.SpanID
	opened  time.Time

	mu     sync.Mutex
	state  requestState
	spans  []spanRecord
	held   int
	ending time.Time
}

type requestState uint8

const (
	requestOpen requestState = iota
	requestChosen
	requestPassed
)

// spanRecord is what is known of one span of a request, from its start on.
type spanRecord struct {
	id, parent trace.SpanID
	start, end int64
	waits      []interval.Interval
	// ended is the span itself while it is held.
	ended sdktrace.ReadOnlySpan
}

func (r *request) add(record spanRecord) (index int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spans) >= requestSpansMax {
		return 0, false
	}
	r.spans = append(r.spans, record)
	return len(r.spans) - 1, true
}

// childrenOf are the intervals of a span's children. One that is still open covers its parent to the end. Callers hold mu.
func (r *request) childrenOf(index int) (children []interval.Interval) {
	parent := &r.spans[index]
	for i := range r.spans {
		if child := &r.spans[i]; child.parent == parent.id && i != index {
			end := child.end
			if end == 0 {
				end = parent.end
			}
			children = append(children, interval.Interval{Start: child.start, End: end})
		}
	}
	return children
}

// queueWait is what of a span's self time was spent in measured waits. Callers hold mu.
func (r *request) queueWait(index int) int64 {
	record := &r.spans[index]
	if len(record.waits) == 0 {
		return 0
	}
	whole := interval.Interval{Start: record.start, End: record.end}
	self := interval.Without(whole, interval.Union(r.childrenOf(index)))
	var sum int64
	for _, wait := range interval.Union(record.waits) {
		sum += self.Overlap(wait)
	}
	return sum
}

// liveSpan finds an open span's record.
type liveSpan struct {
	request *request
	index   int
}

const liveShards = 64

// liveTable knows every open, sampled span of the process. It is shared by all processors, because a pool only sees a context.
type liveTable struct {
	count  atomic.Int64
	shards [liveShards]struct {
		sync.Mutex
		spans map[trace.SpanID]liveSpan
	}
}

var live liveTable

// epoch is where this library's clock begins: times since it are monotonic, which wall time is not.
var epoch = time.Now()

func sinceEpoch(moment time.Time) int64 { return moment.Sub(epoch).Nanoseconds() }

func (t *liveTable) shard(id trace.SpanID) int {
	// Some id generators count upward, so every byte takes part.
	return int((binary.BigEndian.Uint64(id[:]) * 0x9e3779b97f4a7c15) >> 58)
}

func (t *liveTable) put(id trace.SpanID, span liveSpan) bool {
	if t.count.Add(1) > liveSpansMax {
		t.count.Add(-1)
		return false
	}
	shard := &t.shards[t.shard(id)]
	shard.Lock()
	defer shard.Unlock()
	if shard.spans == nil {
		shard.spans = map[trace.SpanID]liveSpan{}
	}
	if _, twice := shard.spans[id]; twice {
		t.count.Add(-1)
		return false
	}
	shard.spans[id] = span
	return true
}

func (t *liveTable) get(id trace.SpanID) (liveSpan, bool) {
	shard := &t.shards[t.shard(id)]
	shard.Lock()
	defer shard.Unlock()
	span, found := shard.spans[id]
	return span, found
}

// take forgets a span if it is this processor's.
func (t *liveTable) take(id trace.SpanID, owner *SpanProcessor) (liveSpan, bool) {
	shard := &t.shards[t.shard(id)]
	shard.Lock()
	defer shard.Unlock()
	span, found := shard.spans[id]
	if !found || span.request.owner != owner {
		return liveSpan{}, false
	}
	delete(shard.spans, id)
	t.count.Add(-1)
	return span, true
}

// openBefore lists the requests of one processor that were opened before a moment and still have an open span.
func (t *liveTable) openBefore(owner *SpanProcessor, moment time.Time) map[*request]bool {
	old := map[*request]bool{}
	for i := range t.shards {
		shard := &t.shards[i]
		shard.Lock()
		for _, span := range shard.spans {
			if span.request.owner == owner && span.request.opened.Before(moment) {
				old[span.request] = true
			}
		}
		shard.Unlock()
	}
	return old
}

// forget drops all open spans of a processor.
func (t *liveTable) forget(drop func(*request) bool) {
	for i := range t.shards {
		shard := &t.shards[i]
		shard.Lock()
		for id, span := range shard.spans {
			if drop(span.request) {
				delete(shard.spans, id)
				t.count.Add(-1)
			}
		}
		shard.Unlock()
	}
}

func (r *request) heldSpans() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}
