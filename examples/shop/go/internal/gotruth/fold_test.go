package gotruth

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"tailspan/shop/internal/causes"
	"tailspan/shop/internal/truthmark"
	"tailspan/shop/internal/workers"
)

var asClient = trace.WithSpanKind(trace.SpanKindClient)

func TestASleepIsUnattributed(t *testing.T) {
	var slept time.Duration
	truths := record(t, func(tracer trace.Tracer) {
		_, span := tracer.Start(background, "sleeps")
		slept = timed(func() { time.Sleep(20 * time.Millisecond) })
		span.End()
	})
	expect(t, find(t, truths, "sleeps"), Unattributed, 20*time.Millisecond, slept)
}

func TestComputingIsProcessing(t *testing.T) {
	truths := record(t, func(tracer trace.Tracer) {
		_, span := tracer.Start(background, "computes")
		causes.Burn(20 * time.Millisecond)
		span.End()
	})
	computes := find(t, truths, "computes")
	expectAtMost(t, computes, Unattributed, time.Millisecond)
	if computes.of(Processing) < 5*time.Millisecond {
		t.Errorf("processing is %v", computes.of(Processing))
	}
}

func TestChildrenAreTakenOffOnceAndClipped(t *testing.T) {
	truths := record(t, func(tracer trace.Tracer) {
		start := time.Now()
		ctx, parent := tracer.Start(background, "parent", trace.WithTimestamp(start))
		child := func(name string, from, to time.Duration) {
			_, span := tracer.Start(ctx, name, trace.WithTimestamp(start.Add(from*time.Millisecond)))
			span.End(trace.WithTimestamp(start.Add(to * time.Millisecond)))
		}
		child("first", 5, 15)
		child("overlaps", 10, 20)
		child("outlives", 30, 50)
		child("before", -10, 2)
		time.Sleep(40 * time.Millisecond)
		parent.End(trace.WithTimestamp(start.Add(40 * time.Millisecond)))
	})
	var own int64
	for _, length := range find(t, truths, "parent").Self {
		own += length
	}
	// 40 ms, less 0-2, 5-20 and 30-40.
	if want := int64(13 * time.Millisecond); own != want {
		t.Errorf("%d ns of its own, expected %d", own, want)
	}
}

func TestAWaitForTheNetworkUnderACallIsDownstream(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		far, err := listener.Accept()
		if err != nil {
			return
		}
		defer far.Close()
		io.ReadFull(far, make([]byte, 1))
		time.Sleep(20 * time.Millisecond)
		far.Write([]byte("x"))
	}()
	var waited time.Duration
	truths := record(t, func(tracer trace.Tracer) {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		waited = timed(func() {
			_, span := tracer.Start(background, "calls", asClient)
			connection.Write([]byte("x"))
			io.ReadFull(connection, make([]byte, 1))
			span.End()
		})
	})
	expect(t, find(t, truths, "calls"), Downstream, 20*time.Millisecond, waited)
}

// holdWorker keeps the only worker busy until the channel is closed.
func holdWorker(pool *workers.Pool) (release chan struct{}) {
	release = make(chan struct{})
	busy := make(chan struct{})
	go pool.Do(background, func(context.Context) {
		close(busy)
		<-release
	})
	<-busy
	return release
}

// releaseLater lets the worker go 30 ms after somebody has begun to wait for it.
func releaseLater(pool *workers.Pool, release chan struct{}) {
	go func() {
		for pool.Waiting() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(30 * time.Millisecond)
		close(release)
	}()
}

func TestWaitingForAWorkerIsQueueWaitAndItsWorkIsTheSpans(t *testing.T) {
	var taken time.Time
	var queued, slept time.Duration
	truths := record(t, func(tracer trace.Tracer) {
		pool := workers.NewPool(workers.NewQueue(1, 4), nil)
		releaseLater(pool, holdWorker(pool))
		ctx, span := tracer.Start(background, "request")
		start := time.Now()
		pool.Do(ctx, func(context.Context) {
			taken = time.Now()
			slept = timed(func() { time.Sleep(10 * time.Millisecond) })
		})
		queued = taken.Sub(start)
		span.End()
	})
	request := find(t, truths, "request")
	expect(t, request, QueueWait, 29*time.Millisecond, queued)
	expect(t, request, Unattributed, 10*time.Millisecond, slept)
}

func TestAWaitSpanHasTheQueueWaitAndItsParentHasNot(t *testing.T) {
	var waited time.Duration
	truths := record(t, func(tracer trace.Tracer) {
		pool := workers.NewPool(workers.NewQueue(1, 4), tracer)
		releaseLater(pool, holdWorker(pool))
		ctx, span := tracer.Start(background, "request")
		waited = timed(func() { pool.Do(ctx, func(context.Context) {}) })
		span.End()
	})
	request := find(t, truths, "request")
	expectAtMost(t, request, QueueWait, time.Millisecond)
	for _, truth := range truths {
		if truth.Span.ParentID == request.Span.SpanID {
			expect(t, truth, QueueWait, 29*time.Millisecond, waited)
		}
	}
}

func TestAnIdleWorkerThatIsNotRunIsSchedulingAndNotQueueWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	truths := record(t, func(tracer trace.Tracer) {
		pool := workers.NewPool(workers.NewQueue(1, 4), nil)
		time.Sleep(time.Millisecond)
		ctx, span := tracer.Start(background, "request")
		// The worker is made ready first, and the hog is next in line: it takes its turn before the worker.
		done := make(chan struct{})
		go func() {
			pool.Do(ctx, func(context.Context) {})
			close(done)
		}()
		hog := make(chan struct{})
		go func() {
			causes.Burn(30 * time.Millisecond)
			close(hog)
		}()
		<-done
		span.End()
		<-hog
	})
	request := find(t, truths, "request")
	expectAtMost(t, request, QueueWait, 2*time.Millisecond)
	if request.of(Scheduling) < 5*time.Millisecond {
		t.Errorf("scheduling is %v; all: %v", request.of(Scheduling), request.Self)
	}
}

func TestAQueueRegionMakesAWaitQueueWait(t *testing.T) {
	var waited time.Duration
	truths := record(t, func(tracer trace.Tracer) {
		slot := make(chan struct{})
		time.AfterFunc(20*time.Millisecond, func() { close(slot) })
		_, span := tracer.Start(background, "acquires")
		end := truthmark.QueueWait()
		waited = timed(func() { <-slot })
		end()
		span.End()
	})
	expect(t, find(t, truths, "acquires"), QueueWait, 19*time.Millisecond, waited)
}

func TestReadyAndNotRunIsScheduling(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	truths := record(t, func(tracer trace.Tracer) {
		var hogs sync.WaitGroup
		ready := make(chan struct{})
		_, span := tracer.Start(background, "starved")
		for range 3 {
			hogs.Go(func() {
				<-ready
				causes.Burn(60 * time.Millisecond)
			})
		}
		time.Sleep(time.Millisecond)
		close(ready)
		// Ready again at once, and behind the hogs; once in 61 times the scheduler looks at the end of the line first.
		for range 3 {
			runtime.Gosched()
		}
		span.End()
		hogs.Wait()
	})
	if starved := find(t, truths, "starved"); starved.of(Scheduling) < 15*time.Millisecond {
		t.Errorf("scheduling is %v; all: %v", starved.of(Scheduling), starved.Self)
	}
}

func TestAGoroutineMadeForTheSpanExplainsTheWaitForIt(t *testing.T) {
	truths := record(t, func(tracer trace.Tracer) {
		_, span := tracer.Start(background, "fans out")
		done := make(chan struct{})
		go func() {
			causes.Burn(20 * time.Millisecond)
			close(done)
		}()
		<-done
		span.End()
	})
	fans := find(t, truths, "fans out")
	expectAtMost(t, fans, Unattributed, time.Millisecond)
	if fans.of(Processing) < 5*time.Millisecond {
		t.Errorf("processing is %v; all: %v", fans.of(Processing), fans.Self)
	}
}

func TestALateReaderOfAnAnswerIsScheduling(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	truths := record(t, func(tracer trace.Tracer) {
		arrived, answer := make(chan struct{}), make(chan struct{})
		// The reader of a connection lives longer than the call, so the call did not make it.
		go func() {
			<-arrived
			close(answer)
		}()
		time.Sleep(time.Millisecond)
		hog := make(chan struct{})
		_, span := tracer.Start(background, "calls", asClient)
		go func() {
			close(arrived)
			go func() {
				causes.Burn(30 * time.Millisecond)
				close(hog)
			}()
		}()
		<-answer
		span.End()
		<-hog
	})
	if calls := find(t, truths, "calls"); calls.of(Scheduling) < 5*time.Millisecond {
		t.Errorf("scheduling is %v; all: %v", calls.of(Scheduling), calls.Self)
	}
}

func TestAssistsAndStopsOfTheWorldAreGC(t *testing.T) {
	type node struct {
		next *node
		pad  [5]uint64
	}
	live := make([]*node, 500_000)
	for i := range live {
		live[i] = &node{}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var list *node
	truths := record(t, func(tracer trace.Tracer) {
		_, span := tracer.Start(background, "allocates")
		for range 500_000 {
			list = &node{next: list}
		}
		span.End()
	})
	runtime.KeepAlive(live)
	runtime.KeepAlive(list)
	if allocates := find(t, truths, "allocates"); allocates.of(GC) < time.Millisecond {
		t.Errorf("gc is %v; all: %v", allocates.of(GC), allocates.Self)
	}
}

func TestTimesOfAnotherSDKAreTakenOffTheSpanThatCallsIt(t *testing.T) {
	var traceID string
	var start time.Time
	foreign := map[string][]Placed{}
	truths := recordWith(t, foreign, func(tracer trace.Tracer) {
		start = time.Now()
		ctx, span := tracer.Start(background, "tax", trace.WithTimestamp(start))
		traceID = span.SpanContext().TraceID().String()
		truthmark.Mark(ctx, truthmark.Foreign)
		from := start.UnixNano()
		foreign[traceID] = []Placed{{Processing, from + 2e6, from + 5e6}, {Unattributed, from + 5e6, from + 9e6}}
		time.Sleep(10 * time.Millisecond)
		span.End(trace.WithTimestamp(start.Add(10 * time.Millisecond)))
	})
	var own int64
	for _, length := range find(t, truths, "tax").Self {
		own += length
	}
	if own != 3e6 {
		t.Errorf("%d ns of its own, expected 3 ms", own)
	}
}

// Whatever a program does, the phases add up: record checks each span.
func TestPhasesAddUpInRandomPrograms(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		truths := record(t, func(tracer trace.Tracer) {
			pool := workers.NewPool(workers.NewQueue(2, 64), tracer)
			var open sync.WaitGroup
			for range 20 {
				program := rand.New(rand.NewPCG(random.Uint64(), 0))
				open.Go(func() { randomProgram(background, tracer, pool, program, 3) })
			}
			open.Wait()
		})
		if len(truths) < 20 {
			t.Errorf("seed %d: %d truths", seed, len(truths))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomProgram(ctx context.Context, tracer trace.Tracer, pool *workers.Pool, random *rand.Rand, depth int) {
	kinds := []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindProducer}
	ctx, span := tracer.Start(ctx, "random", trace.WithSpanKind(kinds[random.IntN(len(kinds))]))
	defer span.End()
	for range random.IntN(4) {
		switch random.IntN(5) {
		case 0:
			time.Sleep(time.Duration(random.IntN(2_000)) * time.Microsecond)
		case 1:
			causes.Compute(random.IntN(500_000))
		case 2:
			if depth > 0 {
				randomProgram(ctx, tracer, pool, random, depth-1)
			}
		case 3:
			// Not from within a job: all workers could wait for each other.
			if depth == 3 {
				pool.Do(ctx, func(ctx context.Context) { causes.Compute(random.IntN(200_000)) })
			}
		case 4:
			if depth > 0 {
				done := make(chan struct{})
				go func() {
					randomProgram(ctx, tracer, pool, random, 0)
					close(done)
				}()
				<-done
			}
		}
	}
}
