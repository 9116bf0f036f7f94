package tailspan_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	tailspan "github.com/tailspan/tailspan/instrumentation/go"
)

func TestAnHTTPCallIsBlockedWhileThePeerWorks(t *testing.T) {
	precisely(t, func(t testing.TB) {
		r := newRig(t)
		var served time.Duration
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			served = timed(func() { time.Sleep(20 * time.Millisecond) })
			_, _ = io.WriteString(w, "done")
		}))
		defer server.Close()
		call := func() {
			answer, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		call()
		_, span := r.Start(context.Background(), "GET", trace.WithSpanKind(trace.SpanKindClient))
		call()
		span.End()
		got := named(t, r.flush(), "GET")
		near(t, "blocked", got.blocked+got.scheduling, served, 5*time.Millisecond)
		if got.blocked < served*9/10 {
			t.Errorf("blocked %v of the peer's %v", got.blocked, served)
		}
		if got.processing != 0 {
			t.Errorf("a call is its peer's, it claims processing of %v", got.processing)
		}
		if got.sum() > got.duration || got.sum() < got.duration*9/10 {
			t.Errorf("sum %v of %v", got.sum(), got.duration)
		}
	})
}

// TestPrecisionUnderLoad runs requests through a small pool beside hogs and compares what each measured itself with its evidence.
func TestPrecisionUnderLoad(t *testing.T) {
	precisely(t, func(t testing.TB) {
		r := newRig(t, tailspan.WithMaxHeld(4096))
		pool := tailspan.NewPool(2, 1000)
		defer pool.Close()
		time.Sleep(10 * time.Millisecond) // the workers have begun to idle
		stop := make(chan struct{})
		var hogs sync.WaitGroup
		for range 2 {
			hogs.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						burn(2 * time.Millisecond)
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		type known struct{ pickup, run, yield, duration time.Duration }
		truth := map[string]known{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for client := range 6 {
			all.Go(func() {
				for i := range 30 {
					name := string(rune('a'+client)) + time.Duration(i).String()
					ctx, span := r.Start(context.Background(), name)
					var k known
					began := time.Now()
					var picked, finished time.Time
					_ = pool.Do(ctx, func(context.Context) {
						picked = time.Now()
						burn(500 * time.Microsecond)
						finished = time.Now()
					})
					k.pickup, k.run = picked.Sub(began), finished.Sub(picked)
					k.yield = timed(runtime.Gosched)
					span.End()
					k.duration = time.Since(began)
					mu.Lock()
					truth[name] = k
					mu.Unlock()
				}
			})
		}
		all.Wait()
		close(stop)
		hogs.Wait()
		var wrong []float64
		missing := 0
		var sumWrong, sumDuration time.Duration
		for _, got := range r.flush() {
			k := truth[got.name]
			if !got.complete {
				missing++
				continue
			}
			// What it knows: the item ran for so long and the yield kept it so long, both on or for a processor (running, runnable or
			// stopped); before the item it queued, but for an idle worker's being late, which is scheduling; nothing else happened.
			busy := got.processing + got.scheduling + got.gc
			apart := max(0, got.queueWait-k.pickup) + max(0, k.run+k.yield-busy) +
				max(0, k.pickup+k.run+k.yield-got.queueWait-busy) + got.blocked + (got.duration - got.sum()).Abs()
			sumWrong, sumDuration = sumWrong+apart, sumDuration+got.duration
			if float64(apart) > 0.05*float64(got.duration) {
				t.Logf("%+v %+v", k, got)
			}
			wrong = append(wrong, float64(apart)/float64(got.duration))
		}
		slices.Sort(wrong)
		mean := float64(sumWrong) / float64(sumDuration)
		t.Logf("%d requests, %v in all: %.4f %% of the time contradicts what they measured, median %.4f %%, worst %.3f %%",
			len(wrong), sumDuration, 100*mean, 100*wrong[len(wrong)/2], 100*wrong[len(wrong)-1])
		// On a machine that others overload some spans' times do not agree with the trace's: they are counted, not guessed.
		if stats := r.processor.Stats(); int64(missing) != stats.NotExact || missing > 60 || mean > 0.01 {
			t.Errorf("%d of 180 without evidence, %.4f %% of the time wrong: %+v", missing, 100*mean, stats)
		}
	})
}
