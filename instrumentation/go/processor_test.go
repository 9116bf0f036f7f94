package tailspan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	rtrace "runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

type bench struct {
	t         *testing.T
	exported  *tracetest.InMemoryExporter
	processor *SpanProcessor
	provider  *sdktrace.TracerProvider
	trace.Tracer
}

func newBench(t *testing.T, options ...Option) *bench {
	t.Helper()
	exported := tracetest.NewInMemoryExporter()
	processor := NewSpanProcessor(sdktrace.NewSimpleSpanProcessor(keeps{exported}), options...)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	t.Cleanup(func() {
		_ = provider.Shutdown(context.Background())
		if open := live.count.Load(); open != 0 {
			t.Errorf("%d spans are left in the table", open)
		}
	})
	return &bench{t, exported, processor, provider, provider.Tracer("test")}
}

// keeps does not empty the exporter at shutdown, so that a test can look.
type keeps struct{ *tracetest.InMemoryExporter }

func (keeps) Shutdown(context.Context) error { return nil }

func (b *bench) names() string {
	var names []string
	for _, span := range b.exported.GetSpans() {
		names = append(names, span.Name)
	}
	return strings.Join(names, " ")
}

// adds checks that every span is counted once more under what became of it.
func (b *bench) adds() Stats {
	b.t.Helper()
	s := b.processor.Stats()
	sum := s.Evidence + s.NotChosen + s.NotFollowed + s.NotCovered + s.NotInBudget + s.NotHeld + s.NotLinked + s.NotExact + s.NotRead + s.Flushed + s.Held
	if s.Ended != sum {
		b.t.Errorf("%d spans ended, %d counted: %+v", s.Ended, sum, s)
	}
	if got := int64(len(b.exported.GetSpans())); got != s.Ended-s.Held {
		b.t.Errorf("%d spans ended, %d held, %d exported", s.Ended, s.Held, got)
	}
	return s
}

func value(span tracetest.SpanStub, key attribute.Key) (int64, bool) {
	for _, one := range span.Attributes {
		if one.Key == key {
			return one.Value.AsInt64(), true
		}
	}
	return 0, false
}

// request makes a root with two children.
func (b *bench) request(name string, during func()) {
	ctx, root := b.Start(context.Background(), name)
	_, child := b.Start(ctx, name+".1")
	during()
	child.End()
	_, child = b.Start(ctx, name+".2")
	child.End()
	root.End()
}

func nothing() {}

func TestARequestThatIsNotChosenPassesAtItsEnd(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	b.request("a", func() {
		if got := b.names(); got != "" {
			t.Errorf("exported before the end: %s", got)
		}
	})
	if got := b.names(); got != "a.1 a.2 a" {
		t.Errorf("exported %q", got)
	}
	if s := b.adds(); s.NotChosen != 3 {
		t.Errorf("%+v", s)
	}
	if span := b.exported.GetSpans()[0]; len(span.Attributes) != 0 {
		t.Errorf("attributes %v", span.Attributes)
	}
}

func TestAChosenRequestIsHeldUntilItsEvidenceIsThere(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	b.request("a", nothing)
	if s := b.adds(); s.Held != 3 {
		t.Errorf("%+v", s)
	}
	for until := time.Now().Add(10 * time.Second); b.processor.Stats().Held > 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	s := b.adds()
	if s.Evidence != 3 || s.Snapshots != 1 || s.AnalysisCPU == 0 || s.EventsRead == 0 {
		t.Errorf("%+v", s)
	}
	for _, span := range b.exported.GetSpans() {
		for _, key := range []attribute.Key{QueueWaitKey, SchedulingKey, GCKey, ProcessingKey, BlockedKey} {
			if _, ok := value(span, key); !ok {
				t.Errorf("%s lacks %s: %v", span.Name, key, span.Attributes)
			}
		}
	}
}

func TestTheSlowOnesAreChosen(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	for range 200 {
		b.request("op", nothing)
	}
	_, span := b.Start(context.Background(), "op")
	time.Sleep(20 * time.Millisecond)
	span.End()
	_ = b.provider.ForceFlush(context.Background())
	spans := b.exported.GetSpans()
	if blocked, ok := value(spans[len(spans)-1], BlockedKey); !ok || blocked < 15e6 {
		t.Errorf("the slow request has %v", spans[len(spans)-1].Attributes)
	}
	if s := b.adds(); s.Evidence == 0 || s.NotChosen < 300 {
		t.Errorf("%+v", s)
	}
}

func TestAnotherFlightRecorderLeavesSpansUntouched(t *testing.T) {
	other := rtrace.NewFlightRecorder(rtrace.FlightRecorderConfig{})
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	var log bytes.Buffer
	b := newBench(t, WithSampleRate(1e9), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	b.request("a", nothing)
	if got := b.names(); got != "a.1 a.2 a" {
		t.Errorf("exported %q", got)
	}
	b.processor.startRecorder()
	s := b.adds()
	if s.Recording || s.RecorderRefused != 2 || s.Snapshots != 0 || s.NotChosen != 3 {
		t.Errorf("%+v", s)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings: %s", got, log.String())
	}
	other.Stop()
	b.processor.startRecorder()
	b.request("b", nothing)
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); !s.Recording || s.Evidence != 3 {
		t.Errorf("after the other stopped: %+v", s)
	}
}

func TestAnExecutionTraceBesideItIsNoHindrance(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	if err := rtrace.Start(io.Discard); err != nil {
		t.Fatal(err)
	}
	b.request("a", nothing)
	rtrace.Stop()
	b.request("b", nothing)
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); s.Evidence != 6 {
		t.Errorf("%+v", s)
	}
}

func TestFlushPassesOpenRequestsAndTheirRestLater(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	b.request("a", func() {
		b.request("other", nothing)
		ctx, root := b.Start(context.Background(), "open")
		_, child := b.Start(ctx, "open.1")
		child.End()
		_ = b.provider.ForceFlush(context.Background())
		if s := b.adds(); s.Flushed != 1 || s.Held != 0 || s.Evidence != 3 {
			t.Errorf("%+v", s)
		}
		root.End()
	})
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); s.Flushed != 1 || s.Evidence != 7 {
		t.Errorf("%+v", s)
	}
}

func TestShutdownPassesEverythingAndEndsTheRecorder(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	b.request("a", nothing)
	ctx, root := b.Start(context.Background(), "open")
	_, child := b.Start(ctx, "open.1")
	child.End()
	if err := b.provider.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := b.names(); got != "a a.1 a.2 open.1" {
		t.Errorf("exported %q", got)
	}
	if rtrace.IsEnabled() {
		t.Error("the tracer still runs")
	}
	if s := b.adds(); s.Held != 0 || s.Recording {
		t.Errorf("%+v", s)
	}
	root.End()
	if err := b.processor.ForceFlush(context.Background()); err != nil {
		t.Errorf("flush after the end: %v", err)
	}
	if err := b.processor.Shutdown(context.Background()); err != nil {
		t.Errorf("a second shutdown: %v", err)
	}
}

func TestShutdownWithoutTimePassesEverything(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	b.request("a", nothing)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.processor.Shutdown(ctx)
	if s := b.adds(); s.Held != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheRecorderRestsForAShareOfTheTime(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), WithRecording(0.5), func(s *settings) { s.period = time.Second })
	began, rested, resumed := time.Now(), false, false
	for !resumed && time.Since(began) < 20*time.Second {
		b.request("a", nothing)
		time.Sleep(20 * time.Millisecond)
		switch on := b.processor.Stats().Recording; {
		case !on:
			rested = true
		case rested:
			resumed = true
		}
	}
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); !resumed || s.Evidence == 0 || s.NotChosen == 0 || s.RecorderRefused != 0 {
		t.Errorf("rested %v, resumed %v, %+v", rested, resumed, s)
	}
}

func TestAFullTablePassesSpansAtOnce(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), WithMaxHeld(2))
	b.request("a", nothing)
	if s := b.adds(); s.NotHeld != 3 || s.Held != 0 {
		t.Errorf("%+v", s)
	}
	_, single := b.Start(context.Background(), "single")
	single.End()
	if s := b.adds(); s.Held != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutBudgetRequestsPassAfterTheirTime(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), WithHold(300*time.Millisecond), func(s *settings) { s.budget, s.burst = 1e-9, 1 })
	b.request("first", nothing)
	deadline := time.Now().Add(20 * time.Second)
	for b.processor.Stats().Held > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	b.request("second", nothing)
	for b.processor.Stats().Held > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if s := b.adds(); s.NotInBudget != 3 || s.Held != 0 || s.Evidence != 3 {
		t.Errorf("%+v", s)
	}
}

func TestASnapshotThatIsTooLargeIsNotRead(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), func(s *settings) { s.maxBytes = 64 })
	b.request("a", nothing)
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); s.NotRead != 3 || s.SnapshotsFailed != 1 {
		t.Errorf("%+v", s)
	}
}

func TestARequestLongerThanTheWindowPasses(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), WithWindow(100*time.Millisecond))
	b.request("a", func() { time.Sleep(120 * time.Millisecond) })
	if s := b.adds(); s.NotCovered != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAnOpenRequestHoldsItsSpansNoLongerThanTheWindow(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9), WithWindow(100*time.Millisecond))
	ctx, root := b.Start(context.Background(), "stream")
	_, child := b.Start(ctx, "early")
	child.End()
	for until := time.Now().Add(10 * time.Second); b.names() == "" && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	_, child = b.Start(ctx, "late")
	child.End()
	if got := b.names(); got != "early late" {
		t.Errorf("exported %q", got)
	}
	root.End()
	b.adds()
}

func TestARequestWithTooManySpansKeepsItsFirst(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	ctx, root := b.Start(context.Background(), "wide")
	for range requestSpansMax + 10 {
		_, child := b.Start(ctx, "child")
		child.End()
	}
	root.End()
	_ = b.provider.ForceFlush(context.Background())
	if s := b.adds(); s.Untracked != 11 || s.NotFollowed != 11 || s.Evidence != requestSpansMax {
		t.Errorf("%+v", s)
	}
}

func TestSpansThatAreNotSampledAreLeftAlone(t *testing.T) {
	processor := NewSpanProcessor(sdktrace.NewSimpleSpanProcessor(tracetest.NewNoopExporter()))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor), sdktrace.WithSampler(sdktrace.NeverSample()))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	ctx, span := provider.Tracer("test").Start(context.Background(), "a")
	RecordQueueWait(ctx, time.Now().Add(-time.Second), time.Now())
	span.End()
	if s := processor.Stats(); s.Ended != 0 || live.count.Load() != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatTheServiceSaidItselfStands(t *testing.T) {
	b := newBench(t, WithSampleRate(1e9))
	_, span := b.Start(context.Background(), "a")
	span.SetAttributes(GCKey.Int64(42), attribute.String("own", "x"))
	span.End()
	_ = b.provider.ForceFlush(context.Background())
	got := b.exported.GetSpans()[0]
	if gc, _ := value(got, GCKey); gc != 42 || len(got.Attributes) != 6 {
		t.Errorf("%v", got.Attributes)
	}
}

func TestARemoteParentMakesAnEntry(t *testing.T) {
	b := newBench(t, WithSampleRate(0))
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	ctx, entry := b.Start(trace.ContextWithRemoteSpanContext(context.Background(), remote), "entry")
	_, child := b.Start(ctx, "child")
	child.End()
	if got := b.names(); got != "" {
		t.Errorf("exported %q before the entry ended", got)
	}
	entry.End()
	if got := b.names(); got != "child entry" {
		t.Errorf("exported %q", got)
	}
}

// TestNothingIsLostUnderLoad has many requests with children on many goroutines, some of them ending after their parents, pools,
// semaphores and flushes at once: every span comes out exactly once, and no amount exceeds its span.
func TestNothingIsLostUnderLoad(t *testing.T) {
	b := newBench(t, WithSampleRate(50), WithSlowQuantile(0.8), WithMaxHeld(200))
	pool := NewPool(2, 1000)
	defer pool.Close()
	semaphore := NewSemaphore(1)
	const goroutines, requests = 8, 60
	var all, late sync.WaitGroup
	for worker := range goroutines {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 3))
			for i := range requests {
				ctx, root := b.Start(context.Background(), fmt.Sprintf("op%d", random.IntN(3)))
				_ = pool.Do(ctx, func(ctx context.Context) {
					_, span := b.Start(ctx, "pooled")
					defer span.End()
					time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
				})
				if semaphore.Acquire(ctx) == nil {
					semaphore.Release()
				}
				late.Go(func() {
					_, span := b.Start(ctx, "late")
					time.Sleep(time.Duration(i%3) * time.Millisecond)
					span.End()
				})
				root.End()
				if i == requests/2 {
					_ = b.provider.ForceFlush(context.Background())
				}
			}
		})
	}
	all.Wait()
	late.Wait()
	_ = b.provider.ForceFlush(context.Background())
	s := b.adds()
	if s.Ended != goroutines*requests*3 || s.Held != 0 || s.Evidence == 0 {
		t.Errorf("%+v", s)
	}
	seen := map[trace.SpanID]bool{}
	for _, span := range b.exported.GetSpans() {
		if id := span.SpanContext.SpanID(); seen[id] {
			t.Fatalf("%s came out twice", span.Name)
		} else {
			seen[id] = true
		}
		var sum int64
		for _, key := range []attribute.Key{QueueWaitKey, SchedulingKey, GCKey, ProcessingKey, BlockedKey} {
			amount, _ := value(span, key)
			sum += amount
		}
		if duration := span.EndTime.Sub(span.StartTime).Nanoseconds(); sum > duration {
			t.Errorf("%s has evidence for %d of %d ns", span.Name, sum, duration)
		}
	}
	t.Logf("%+v", s)
}
