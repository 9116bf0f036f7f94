package stock

import (
	"context"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"tailspan/shop/internal/catalogue"
)

var background = context.Background()

func open(t *testing.T) *Stock {
	t.Helper()
	stock, err := Open(background, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stock.Close() })
	return stock
}

func TestWhatIsTakenIsGoneHoweverManyTakeAtOnce(t *testing.T) {
	stock := open(t)
	const takers = 40
	var all sync.WaitGroup
	for range takers {
		all.Go(func() {
			if _, err := stock.Take(background, "i3", 2, 0); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if level, err := stock.Count(background, "i3", 0); err != nil || level != startLevel-2*takers {
		t.Errorf("%d left, %v", level, err)
	}
	// Of i4, one is held for somebody else.
	if left, err := stock.Take(background, "i4", 2, 0); err != nil || left != startLevel-2-4%3 {
		t.Errorf("%d left, %v", left, err)
	}
}

func TestEveryItemIsThereAndNoOther(t *testing.T) {
	stock := open(t)
	for _, item := range []string{"i0", "i99"} {
		if level, err := stock.Count(background, item, 0); err != nil || level != startLevel {
			t.Errorf("%s: %d, %v", item, level, err)
		}
	}
	if _, err := stock.Count(background, "i100", 0); err == nil || catalogue.Items != 100 {
		t.Error("i100 was counted")
	}
}

func TestASlowQuerySleepsAndAHeldPoolMakesOthersWait(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	stock := open(t)
	stock.waits = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	var held sync.WaitGroup
	for range Connections {
		held.Go(func() { stock.Hold(background, 60*time.Millisecond) })
	}
	for stock.db.Stats().InUse < Connections {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	if _, err := stock.Count(background, "i1", 0); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < 20*time.Millisecond {
		t.Errorf("waited %v", waited)
	}
	held.Wait()
	if spans := recorder.Ended(); len(spans) != Connections+1 || spans[0].Name() != "pool.acquire" {
		t.Errorf("%d wait spans", len(spans))
	}
}
