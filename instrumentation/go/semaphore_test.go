package tailspan

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestNoMoreThanThePlacesAreTaken(t *testing.T) {
	s := NewSemaphore(3)
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			ctx := context.Background()
			if i%3 == 0 {
				short, cancel := context.WithTimeout(ctx, time.Duration(i)*10*time.Microsecond)
				defer cancel()
				ctx = short
			}
			if s.Acquire(ctx) != nil {
				return
			}
			now := inside.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			time.Sleep(20 * time.Microsecond)
			inside.Add(-1)
			s.Release()
		})
	}
	all.Wait()
	if most.Load() > 3 || s.taken != 0 || s.Waiting() != 0 {
		t.Errorf("%d at once, %d still taken, %d wait", most.Load(), s.taken, s.Waiting())
	}
}

func TestTurnsComeInOrder(t *testing.T) {
	s := NewSemaphore(1)
	if !s.TryAcquire() || s.TryAcquire() {
		t.Fatal("one place, taken once")
	}
	var order []int
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			if err := s.Acquire(context.Background()); err != nil {
				t.Error(err)
			}
			order = append(order, i)
			s.Release()
		})
		until(t, "the next waits", func() bool { return s.Waiting() == i+1 })
	}
	s.Release()
	all.Wait()
	for i, got := range order {
		if got != i {
			t.Fatalf("order %v", order)
		}
	}
}

func TestGivingUpTakesNoPlace(t *testing.T) {
	s := NewSemaphore(1)
	s.TryAcquire()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if err := s.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) || s.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, s.Waiting())
	}
	if err := s.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a context that was over: %v", err)
	}
	s.Release()
	if !s.TryAcquire() {
		t.Error("the place is lost")
	}
}

func TestReleasingTooOftenPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewSemaphore(1).Release()
}

func TestWithoutAProcessorTheAttributeHoldsTheSum(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exported))
	ctx, span := provider.Tracer("test").Start(context.Background(), "a")
	now := time.Now()
	RecordQueueWait(ctx, now.Add(-3*time.Millisecond), now)
	RecordQueueWait(ctx, now.Add(-4*time.Millisecond), now)
	span.End()
	if got := queued(t, exported.GetSpans()); got != 7*time.Millisecond {
		t.Errorf("queue wait %v", got)
	}
}
