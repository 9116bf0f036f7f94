package workers

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

var background = context.Background()

func TestNoMoreJobsRunAtOnceThanThereAreWorkers(t *testing.T) {
	const size = 3
	pool := NewPool(NewQueue(size, 100), nil)
	var now, most, ran atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			err := pool.Do(background, func(context.Context) {
				running := now.Add(1)
				for seen := most.Load(); running > seen && !most.CompareAndSwap(seen, running); seen = most.Load() {
				}
				time.Sleep(time.Millisecond)
				now.Add(-1)
				ran.Add(1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != size || ran.Load() != 50 {
		t.Errorf("%d at once and %d in all, expected %d and 50", most.Load(), ran.Load(), size)
	}
}

// held is a pool of one worker that is busy until release is closed.
func held(queued int) (pool *Pool, release chan struct{}) {
	pool = NewPool(NewQueue(1, queued), nil)
	release = make(chan struct{})
	busy := make(chan struct{})
	go pool.Do(background, func(context.Context) {
		close(busy)
		<-release
	})
	<-busy
	return pool, release
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	pool, release := held(2)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if err := pool.Do(background, func(context.Context) {}); err != nil {
				t.Error(err)
			}
		})
	}
	for pool.Waiting() < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := pool.Do(background, func(context.Context) { t.Error("ran") }); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	close(release)
	waiting.Wait()
}

func TestJobsAreTakenInTheOrderTheyCame(t *testing.T) {
	pool, release := held(10)
	var mutex sync.Mutex
	var order []int
	var waiting sync.WaitGroup
	for i := range 10 {
		waiting.Go(func() {
			pool.Do(background, func(context.Context) {
				mutex.Lock()
				order = append(order, i)
				mutex.Unlock()
			})
		})
		for pool.Waiting() <= i {
			time.Sleep(100 * time.Microsecond)
		}
	}
	close(release)
	waiting.Wait()
	for i, job := range order {
		if i != job {
			t.Fatalf("order %v", order)
		}
	}
}

func TestAWaitSpanLastsUntilAWorkerTakesTheJob(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	pool := NewPool(NewQueue(1, 1), tracer)
	ctx, request := tracer.Start(background, "request")
	pool.Do(ctx, func(context.Context) {
		if len(recorder.Ended()) != 1 {
			t.Errorf("%d spans ended when the job ran", len(recorder.Ended()))
		}
	})
	request.End()
	wait := recorder.Ended()[0]
	if wait.Name() != "queue_wait" || wait.Parent().SpanID() != request.SpanContext().SpanID() {
		t.Errorf("%s under %s", wait.Name(), wait.Parent().SpanID())
	}
}

func TestAJobThatWasRefusedEndsItsWaitSpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	pool := NewPool(NewQueue(1, 0), sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test"))
	release := make(chan struct{})
	busy := make(chan struct{})
	go func() {
		for pool.Do(background, func(context.Context) { close(busy); <-release }) != nil {
			time.Sleep(time.Millisecond)
		}
	}()
	<-busy
	before := len(recorder.Ended())
	if err := pool.Do(background, func(context.Context) {}); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if len(recorder.Ended()) != before+1 {
		t.Errorf("%d wait spans ended, %d before", len(recorder.Ended()), before)
	}
	close(release)
}
