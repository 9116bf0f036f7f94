package timeline

import (
	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

// Build makes a Trace by hand, for tests of what reads one: steps[g] are goroutine g's, owners[g] the trace id that serves on it (0 for none).
func Build(steps [][]Step, owners []uint64, stops []interval.Interval) *Trace {
	t := &Trace{Spans: map[mark.SpanID]*SpanMarks{}, Items: map[mark.SpanID][]*Item{}, first: []int32{0}, Stops: interval.Union(stops)}
	for g, own := range steps {
		t.steps = append(t.steps, own...)
		t.first = append(t.first, int32(len(t.steps)))
		var signs []owner
		if g < len(owners) && owners[g] != 0 {
			signs = []owner{{0, owners[g]}}
		}
		t.owners = append(t.owners, signs)
		for _, step := range own {
			t.To = max(t.To, step.Start)
		}
	}
	return t
}
