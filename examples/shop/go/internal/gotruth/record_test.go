package gotruth

import (
	"bytes"
	"context"
	runtrace "runtime/trace"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"tailspan/shop/internal/truthmark"
)

// slack is how far a phase may be from what the program saw of itself.
const slack = time.Millisecond

var background = context.Background()

// record runs the work under an execution trace, with a tracer whose spans are marked, and folds what came of it.
func record(t *testing.T, work func(trace.Tracer)) []Truth {
	t.Helper()
	return recordWith(t, nil, work)
}

func recordWith(t *testing.T, foreign map[string][]Placed, work func(trace.Tracer)) []Truth {
	t.Helper()
	var written bytes.Buffer
	if err := runtrace.Start(&written); err != nil {
		t.Fatal(err)
	}
	work(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(truthmark.Processor{})).Tracer("test"))
	runtrace.Stop()
	recording, err := Read(&written)
	if err != nil {
		t.Fatal(err)
	}
	truths := recording.Fold(foreign)
	for _, truth := range truths {
		checkSum(t, truth, recording)
	}
	return truths
}

// checkSum: the phases add up to the span less the union of its children, to the nanosecond, and the pieces are in order.
func checkSum(t *testing.T, truth Truth, recording *Recording) {
	t.Helper()
	var children []interval
	for _, child := range recording.Spans {
		from, to := max(child.StartUnix, truth.Span.StartUnix), min(child.EndUnix, truth.Span.EndUnix)
		if child.ParentID == truth.Span.SpanID && from < to {
			children = append(children, interval{from, to})
		}
	}
	want := truth.Span.EndUnix - truth.Span.StartUnix
	// Counted point by point between borders, unlike what is tested.
	want -= coveredLength(children)
	var sum, placed int64
	for _, length := range truth.Self {
		if length < 0 {
			t.Errorf("%s: a phase of %d ns", truth.Span.Name, length)
		}
		sum += length
	}
	last := truth.Span.StartUnix
	for _, piece := range truth.Placed {
		if piece.From < last || piece.To <= piece.From || piece.To > truth.Span.EndUnix {
			t.Errorf("%s: piece %v after %d", truth.Span.Name, piece, last)
		}
		last = piece.To
		placed += piece.To - piece.From
	}
	if sum != placed {
		t.Errorf("%s: sums of %d ns, pieces of %d ns", truth.Span.Name, sum, placed)
	}
	if len(truth.Span.marks) > 0 && sum != want && !truth.Span.callsForeign {
		t.Errorf("%s: phases of %d ns in %d ns of its own", truth.Span.Name, sum, want)
	}
}

func coveredLength(intervals []interval) int64 {
	var total int64
	for i, one := range intervals {
		for at := one.from; at < one.to; {
			// Skip what an earlier interval has counted.
			step := one.to
			counted := false
			for _, earlier := range intervals[:i] {
				if earlier.from <= at && at < earlier.to {
					counted = true
					step = min(step, earlier.to)
				} else if earlier.from > at {
					step = min(step, earlier.from)
				}
			}
			if !counted {
				total += step - at
			}
			at = step
		}
	}
	return total
}

func find(t *testing.T, truths []Truth, name string) Truth {
	t.Helper()
	for _, truth := range truths {
		if truth.Span.Name == name {
			return truth
		}
	}
	t.Fatalf("no truth of %s", name)
	return Truth{}
}

func (t Truth) of(phase Phase) time.Duration { return time.Duration(t.Self[phase]) }

// expect holds a phase between what was asked for and what the program measured: on a busy machine waits get longer, and are then
// longer for both.
func expect(t *testing.T, truth Truth, phase Phase, asked, measured time.Duration) {
	t.Helper()
	if got := truth.of(phase); got < asked-slack || got > measured+slack {
		t.Errorf("%s: %s is %v, expected %v to %v; all: %v", truth.Span.Name, PhaseNames[phase], got, asked, measured, truth.Self)
	}
}

// timed is how long the work took.
func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

func expectAtMost(t *testing.T, truth Truth, phase Phase, most time.Duration) {
	t.Helper()
	if got := truth.of(phase); got > most {
		t.Errorf("%s: %s is %v, expected at most %v; all: %v", truth.Span.Name, PhaseNames[phase], got, most, truth.Self)
	}
}
