package timeline

import (
	"bytes"
	"context"
	"errors"
	"runtime/trace"
	"testing"
	"time"

	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

var (
	first  = mark.Mark{Kind: mark.SpanStart, Span: mark.SpanID{1}, Trace: 11}
	second = mark.Mark{Kind: mark.SpanStart, Span: mark.SpanID{2}, Trace: 22}
)

// span does what the SDK and the processor do at a span's start and end.
func span(m mark.Mark, body func()) (start, end time.Time) {
	start = time.Now()
	m.Log()
	_, task := trace.NewTask(context.Background(), "span")
	body()
	end = time.Now()
	task.End()
	return start, end
}

var epoch = time.Now()

func sinceEpoch(t time.Time) int64 { return t.Sub(epoch).Nanoseconds() }

// record takes a trace of what body does, as the flight recorder would give it out.
func record(t testing.TB, body func()) []byte {
	t.Helper()
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Minute, MaxBytes: 64 << 20})
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	defer recorder.Stop()
	body()
	mark.Mark{Kind: mark.Clock, Item: uint64(sinceEpoch(time.Now()))}.Log()
	var out bytes.Buffer
	if _, err := recorder.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestASpanIsFoundOnItsGoroutines(t *testing.T) {
	var start, end time.Time
	data := record(t, func() {
		start, end = span(first, func() { time.Sleep(5 * time.Millisecond) })
		span(second, func() {})
	})
	got, err := Read(bytes.NewReader(data), Options{Wanted: map[mark.SpanID]bool{first.Span: true}})
	if err != nil {
		t.Fatal(err)
	}
	marks := got.Spans[first.Span]
	if marks == nil || marks.EndG != marks.StartG || len(got.Spans) != 1 {
		t.Fatalf("marks %+v of %d spans", marks, len(got.Spans))
	}
	for what, apart := range map[string]int64{
		"start": marks.StartAt - got.At(sinceEpoch(start)), "end": marks.EndAt - got.At(sinceEpoch(end)),
	} {
		if apart < -20_000 || apart > 2_000_000 {
			t.Errorf("the %s is %d ns apart from the wall clock's", what, apart)
		}
	}
	slept := int64(0)
	steps := got.Steps(marks.StartG)
	for i, step := range steps[:len(steps)-1] {
		if step.State == Waiting && step.Why == ForOutside && step.Start > marks.StartAt && step.Start < marks.EndAt {
			slept += steps[i+1].Start - step.Start
		}
	}
	if slept < 4_900_000 {
		t.Errorf("slept %d ns", slept)
	}
	if got.ServesOther(marks.StartG, marks.EndAt, first.Trace) || !got.ServesOther(marks.StartG, got.To, first.Trace) {
		t.Error("the second span's mark makes the goroutine another request's, and only that")
	}
}

// generationsOf makes a trace of several generations with one span in each.
func generationsOf(t testing.TB) (data []byte, second, third time.Time) {
	data = record(t, func() {
		span(first, func() { time.Sleep(time.Millisecond) })
		advance()
		second = time.Now()
		span(mark.Mark{Kind: mark.SpanStart, Span: mark.SpanID{2}, Trace: 2}, func() { time.Sleep(time.Millisecond) })
		advance()
		third = time.Now()
		span(mark.Mark{Kind: mark.SpanStart, Span: mark.SpanID{3}, Trace: 3}, func() { time.Sleep(time.Millisecond) })
	})
	return data, second, third
}

// advance makes the tracer begin a new generation: every new consumer does.
func advance() {
	if err := trace.Start(&bytes.Buffer{}); err != nil {
		panic(err)
	}
	trace.Stop()
	time.Sleep(2 * time.Millisecond)
}

func TestCutKeepsTheGenerationsFromAMomentOn(t *testing.T) {
	data, second, third := generationsOf(t)
	all := map[mark.SpanID]bool{{1}: true, {2}: true, {3}: true}
	for _, c := range []struct {
		name  string
		since int64
		spans int
	}{
		{"everything", 0, 3}, {"from the second on", second.UnixNano(), 2}, {"from the third on", third.UnixNano(), 1},
	} {
		cut := Cut(bytes.Clone(data), c.since)
		got, err := Read(bytes.NewReader(cut), Options{Wanted: all})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if len(got.Spans) != c.spans {
			t.Errorf("%s: %d spans, want %d (%d of %d bytes)", c.name, len(got.Spans), c.spans, len(cut), len(data))
		}
	}
}

func TestCutLeavesWhatItDoesNotUnderstand(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte{0xff}, 100), append([]byte("go 1.26 trace\x00\x00\x00"), 1, 0xff)} {
		if got := Cut(bytes.Clone(data), 1); !bytes.Equal(got, data) {
			t.Errorf("%q became %q", data, got)
		}
	}
}

func TestPaceCanEndTheReading(t *testing.T) {
	data := record(t, func() {
		for range 1000 {
			first.Log()
		}
	})
	calls := 0
	_, err := Read(bytes.NewReader(data), Options{Pace: func() bool { calls++; return calls < 5 }})
	if !errors.Is(err, ErrStopped) || calls != 5 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestTheNumberOfEventsIsBounded(t *testing.T) {
	data := record(t, func() {
		mark.Mark{Kind: mark.Clock}.Log()
		for range 1000 {
			first.Log()
		}
	})
	got, err := Read(bytes.NewReader(data), Options{EventsMax: 100})
	if err != nil || !got.Truncated || got.Events > 101 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestATraceWithoutAClockIsAnError(t *testing.T) {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	defer recorder.Stop()
	var out bytes.Buffer
	if _, err := recorder.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&out, Options{}); !errors.Is(err, ErrNoClock) {
		t.Error(err)
	}
}

func TestBrokenTracesAreErrors(t *testing.T) {
	data, _, _ := generationsOf(t)
	for _, broken := range [][]byte{nil, data[:10], data[:len(data)/2], bytes.Repeat([]byte("go 1.26 trace\x00\x00\x00"), 3)} {
		if _, err := Read(bytes.NewReader(broken), Options{}); err == nil && len(broken) > 16 {
			t.Errorf("%d bytes of %d were read without an error", len(broken), len(data))
		}
	}
}

// FuzzRead changes real traces: whatever comes out, nothing may panic or run away.
func FuzzRead(f *testing.F) {
	data, _, _ := generationsOf(f)
	for at := 16; at < len(data); at += len(data)/7 + 1 {
		f.Add(at, byte(0x80), int64(0))
	}
	f.Fuzz(func(t *testing.T, at int, value byte, since int64) {
		broken := bytes.Clone(data)
		if at < 0 {
			at = -(at + 1)
		}
		broken[at%len(broken)] ^= value
		got, err := Read(bytes.NewReader(Cut(broken, since)), Options{Wanted: map[mark.SpanID]bool{{1}: true}, EventsMax: 100_000})
		if err != nil {
			return
		}
		for g := range G(got.Goroutines()) {
			steps := got.Steps(g)
			for i := 1; i < len(steps); i++ {
				if steps[i].Start < steps[i-1].Start {
					t.Fatalf("goroutine %d goes back in time", g)
				}
			}
		}
	})
}

// FuzzReadBytes reads anything at all.
func FuzzReadBytes(f *testing.F) {
	header := []byte("go 1.26 trace\x00\x00\x00")
	f.Add(header)
	f.Add(append(bytes.Clone(header), 1, 1, 1, 1, 3, 50, 8, 1, 52))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = Read(bytes.NewReader(Cut(bytes.Clone(data), 1)), Options{EventsMax: 100_000})
	})
}
