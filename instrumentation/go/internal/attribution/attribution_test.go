package attribution

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tailspan/tailspan/instrumentation/go/internal/interval"
	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
	"github.com/tailspan/tailspan/instrumentation/go/internal/timeline"
)

const (
	ourTrace   = 1
	otherTrace = 2
)

var ours = mark.SpanID{7}

func run(at int64) timeline.Step {
	return timeline.Step{Start: at, By: timeline.NoG, State: timeline.Running}
}

func ready(at int64, by timeline.G) timeline.Step {
	return timeline.Step{Start: at, By: by, State: timeline.Runnable}
}

func created(at int64, by timeline.G) timeline.Step {
	return timeline.Step{Start: at, By: by, State: timeline.Runnable, Created: true}
}

func waits(at int64, why timeline.Why) timeline.Step {
	return timeline.Step{Start: at, By: timeline.NoG, State: timeline.Waiting, Why: why}
}

func assists(at int64, state timeline.State) timeline.Step {
	return timeline.Step{Start: at, By: timeline.NoG, State: state, Assist: true}
}

func syscall(at int64, why timeline.Why) timeline.Step {
	return timeline.Step{Start: at, By: timeline.NoG, State: timeline.Syscall, Why: why}
}

type testCase struct {
	name     string
	steps    [][]timeline.Step
	owners   []uint64
	stops    []interval.Interval
	items    []*timeline.Item
	waits    []interval.Interval
	children []interval.Interval
	endG     timeline.G
	from     int64
	want     Amounts
	err      error
}

// Every span of these cases is [from, 1000) on goroutine 0.
var cases = []testCase{
	{
		name:  "running, preempted, running",
		steps: [][]timeline.Step{{run(0), ready(300, timeline.NoG), run(500)}},
		want:  Amounts{Processing: 800, Scheduling: 200},
	},
	{
		name:     "children are not self time",
		steps:    [][]timeline.Step{{run(0), ready(300, timeline.NoG), run(500)}},
		children: []interval.Interval{{Start: 250, End: 450}, {Start: 400, End: 600}, {Start: 900, End: 2000}},
		want:     Amounts{Processing: 250 + 300, Scheduling: 0},
	},
	{
		name: "assist, stop-the-world while running and while runnable",
		steps: [][]timeline.Step{{
			run(0), assists(100, timeline.Running), assists(200, timeline.Waiting), ready(300, timeline.NoG), run(400), ready(600, timeline.NoG), run(700),
		}},
		stops: []interval.Interval{{Start: 550, End: 650}},
		want:  Amounts{GC: 200 + 100, Scheduling: 100 + 50, Processing: 100 + 150 + 300},
	},
	{
		name:  "system calls: short ones run, and so do calls into C",
		steps: [][]timeline.Step{{run(0), syscall(100, 0), run(200), syscall(300, timeline.InCgo), run(500)}},
		want:  Amounts{Processing: 1000},
	},
	{
		name: "a turn, the collector, the network",
		steps: [][]timeline.Step{{
			run(0), waits(100, timeline.ForTurn), ready(200, 3), run(210), waits(300, timeline.ForGC), ready(400, timeline.NoG), run(400),
			waits(500, timeline.ForOutside), ready(900, timeline.NoG), run(950),
		}},
		want: Amounts{QueueWait: 100, Scheduling: 10 + 50, GC: 100, Blocked: 400, Processing: 100 + 90 + 100 + 50},
	},
	{
		name: "the goroutine that it created is its own, from creation on",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(950)},
			{created(100, 0), run(400), waits(600, timeline.ForOutside), ready(700, timeline.NoG), run(750)},
		},
		want: Amounts{Processing: 200 + 200 + 150 + 50, Scheduling: 200 + 50 + 50, Blocked: 100},
	},
	{
		name: "an idle worker that it wakes is its own",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{waits(0, timeline.ForPeer), ready(190, 0), run(300)},
		},
		want: Amounts{Processing: 200 + 600 + 100, Scheduling: 100},
	},
	{
		name: "a worker that was busy with something else is not, until it was free once",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{run(-500), waits(500, timeline.ForPeer), ready(600, timeline.NoG), run(700)},
		},
		from: 0,
		want: Amounts{Processing: 200 + 200 + 100, Scheduling: 100, Blocked: 300 + 100},
	},
	{
		name: "woken by somebody else before, it is not either",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{waits(-600, timeline.ForPeer), ready(-500, 2), run(-400), waits(500, timeline.ForPeer), ready(600, timeline.NoG), run(700)},
			{run(-700)},
		},
		want: Amounts{Processing: 200 + 200 + 100, Scheduling: 100, Blocked: 300 + 100},
	},
	{
		name: "a connection's reader answers for its last wait: what it was late with before was another call's",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{
				run(-900), waits(-500, timeline.ForOutside), ready(300, timeline.NoG), run(350), waits(400, timeline.ForOutside),
				ready(800, timeline.NoG), waits(820, timeline.ForGC), ready(830, timeline.NoG), run(850),
			},
		},
		want: Amounts{Processing: 200 + 50 + 100, Scheduling: 20 + 20, GC: 10, Blocked: 600},
	},
	{
		name: "a worker that the span wakes is its own, whatever it waited for since",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{run(-900), waits(-500, timeline.ForPeer), ready(300, 2), run(350), waits(400, timeline.ForOutside), ready(800, timeline.NoG), run(850)},
			{created(100, 0), run(100), waits(310, timeline.ForOutside)},
		},
		want: Amounts{Processing: 200 + 50 + 50 + 100 + 100, Scheduling: 50 + 50, Blocked: 400},
	},
	{
		name: "created by somebody else, it is not either",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{created(100, 2), run(150)},
			{run(-700)},
		},
		want: Amounts{Processing: 300, Blocked: 700},
	},
	{
		name: "a goroutine that serves another request is not",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{waits(0, timeline.ForPeer), ready(190, 0), run(300)},
		},
		owners: []uint64{ourTrace, otherTrace},
		want:   Amounts{Processing: 300, Blocked: 700},
	},
	{
		name: "a pool's busy worker: the measured wait, then its own item",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(900)},
			{run(-500), ready(700, timeline.NoG), run(800)},
		},
		owners: []uint64{ourTrace, ourTrace},
		items:  []*timeline.Item{{SubmitG: timeline.NoG, RunG: 1, RunAt: 600}},
		waits:  []interval.Interval{{Start: 150, End: 600}},
		want:   Amounts{Processing: 200 + 100 + 100 + 100, QueueWait: 400, Scheduling: 100},
	},
	{
		name: "a network reader between the wire and the request",
		steps: [][]timeline.Step{
			{run(0), waits(200, timeline.ForPeer), ready(900, 1), run(950)},
			{waits(0, timeline.ForOutside), ready(600, timeline.NoG), run(800)},
		},
		want: Amounts{Processing: 200 + 100 + 50, Scheduling: 200 + 50, Blocked: 400},
	},
	{
		name: "ended by the goroutine that it created",
		steps: [][]timeline.Step{
			{run(0), waits(500, timeline.ForOutside)},
			{created(300, 0), run(400)},
		},
		endG: 1,
		want: Amounts{Processing: 300 + 600, Scheduling: 100},
	},
	{
		name: "handed over through a pool that nobody waits for",
		steps: [][]timeline.Step{
			{run(0), waits(250, timeline.ForOutside)},
			{run(-500)},
		},
		owners: []uint64{ourTrace, ourTrace},
		items:  []*timeline.Item{{SubmitG: 0, SubmitAt: 200, RunG: 1, RunAt: 700}},
		waits:  []interval.Interval{{Start: 200, End: 700}},
		endG:   1,
		want:   Amounts{Processing: 200 + 300, QueueWait: 500},
	},
	{
		name:  "ended by a goroutine that nothing connects with it",
		steps: [][]timeline.Step{{run(0)}, {run(-500)}},
		endG:  1,
		err:   ErrHandOffUnknown,
	},
	{
		name: "given a start before its creation",
		steps: [][]timeline.Step{{
			run(-900), waits(-500, timeline.ForOutside), ready(-100, timeline.NoG), run(-50),
		}},
		from: -300,
		want: Amounts{Scheduling: 50, Processing: 1050},
	},
}

func (c testCase) trace() (*timeline.Trace, Span) {
	trace := timeline.Build(c.steps, c.owners, c.stops)
	trace.From, trace.To = -10_000, 1_000_000
	trace.Spans[ours] = &timeline.SpanMarks{StartG: 0, StartAt: 1, EndG: c.endG, EndAt: 1001}
	trace.Items[ours] = c.items
	return trace, Span{
		ID: ours, Trace: ourTrace, Interval: interval.Interval{Start: c.from, End: 1000}, Children: c.children, Waits: c.waits,
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Of(c.trace())
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("%+v, %v; want %+v, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestLongSystemCallsAreBlocked(t *testing.T) {
	trace, span := testCase{steps: [][]timeline.Step{{run(0), syscall(100, 0), run(900_100), syscall(900_200, timeline.InCgo), run(1_900_000)}}}.trace()
	trace.To = 10_000_000
	trace.Spans[ours].EndAt = 2_000_000
	span.Interval.End = 2_000_000
	got, err := Of(trace, span)
	if want := (Amounts{Processing: 1_100_000, Blocked: 900_000}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestNotCovered(t *testing.T) {
	trace, span := cases[0].trace()
	trace.From = 10
	if _, err := Of(trace, span); !errors.Is(err, ErrNotCovered) {
		t.Errorf("started before the trace: %v", err)
	}
	trace, span = cases[0].trace()
	trace.Spans[ours].EndG = timeline.NoG
	if _, err := Of(trace, span); !errors.Is(err, ErrNotCovered) {
		t.Errorf("no end in the trace: %v", err)
	}
	trace, span = cases[0].trace()
	span.ID = mark.SpanID{8}
	if _, err := Of(trace, span); !errors.Is(err, ErrNotCovered) {
		t.Errorf("not marked: %v", err)
	}
}

func TestTimesThatDisagreeAreNotExact(t *testing.T) {
	for _, late := range []timeline.SpanMarks{{StartAt: 2000, EndAt: 2001}, {StartAt: 1, EndAt: 150_000, Moved: true}} {
		trace, span := cases[0].trace()
		*trace.Spans[ours] = late
		if _, err := Of(trace, span); !errors.Is(err, ErrNotExact) {
			t.Errorf("%+v: %v", late, err)
		}
	}
}

// TestNoMomentCountsTwice draws goroutines that wake and create each other at random: whatever they do, the amounts of a span
// that ends where it started are its self time, to the nanosecond.
func TestNoMomentCountsTwice(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 2))
		goroutines := 1 + random.IntN(6)
		c := testCase{steps: make([][]timeline.Step, goroutines), owners: make([]uint64, goroutines)}
		for g := range c.steps {
			c.steps[g] = randomSteps(random, goroutines, g > 0)
			c.owners[g] = []uint64{0, ourTrace, ourTrace, otherTrace}[random.IntN(4)]
		}
		c.owners[0] = ourTrace
		for range random.IntN(3) {
			c.stops = append(c.stops, randomInterval(random))
			c.children = append(c.children, randomInterval(random))
			c.waits = append(c.waits, randomInterval(random))
			item := &timeline.Item{SubmitG: timeline.NoG, RunG: timeline.G(random.IntN(goroutines)), RunAt: random.Int64N(1000)}
			c.items = append(c.items, item)
		}
		trace, span := c.trace()
		self := interval.Without(span.Interval, interval.Union(span.Children)).Total()
		got, err := Of(trace, span)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got.Sum() != self || min(got.QueueWait, got.Scheduling, got.GC, got.Processing, got.Blocked) < 0 {
			t.Fatalf("seed %d: %+v is %d, self time %d", seed, got, got.Sum(), self)
		}
	}
}

func randomInterval(random *rand.Rand) interval.Interval {
	start := random.Int64N(1000)
	return interval.Interval{Start: start, End: start + random.Int64N(400)}
}

func randomSteps(random *rand.Rand, goroutines int, mayBegin bool) (steps []timeline.Step) {
	at := -random.Int64N(200) - 1
	by := func() timeline.G { return timeline.G(random.IntN(goroutines+1) - 1) }
	if mayBegin && random.IntN(2) == 0 {
		at = random.Int64N(900)
		steps = append(steps, created(at, by()))
		at += random.Int64N(50)
	}
	for at < 1100 {
		switch random.IntN(4) {
		case 0:
			steps = append(steps, waits(at, timeline.Why(1+random.IntN(4))))
			at += 1 + random.Int64N(200)
			steps = append(steps, ready(at, by()))
		case 1:
			steps = append(steps, syscall(at, 0))
		case 2:
			steps = append(steps, assists(at, timeline.Running))
		default:
			steps = append(steps, run(at))
		}
		at += 1 + random.Int64N(150)
	}
	return steps
}

func TestBeforeASpanItsGoroutineAndThoseThatHandedTheRequestOnWereReady(t *testing.T) {
	steps := [][]timeline.Step{
		{created(80, 1), run(95)},
		{waits(-500, timeline.ForOutside), ready(20, timeline.NoG), run(50), ready(60, timeline.NoG), run(75)},
	}
	trace := timeline.Build(steps, nil, nil)
	trace.Spans[ours] = &timeline.SpanMarks{StartG: 0, StartAt: 100, EndG: 0, EndAt: 200}
	// The connection's reader 20-50 and 60-75, the handler 80-95.
	if got := Before(trace, ours); got != 30+15+15 {
		t.Errorf("%d", got)
	}
	if got := Before(trace, mark.SpanID{9}); got != 0 {
		t.Errorf("a span that is not in the trace: %d", got)
	}
}
