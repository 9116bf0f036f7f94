//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	tailspan "github.com/tailspan/tailspan/instrumentation/go"
)

// service answers POST /order over HTTP: it reads JSON, works on a pool, waits for a fake database and writes JSON, in four spans.
type service struct {
	processor *tailspan.SpanProcessor
	provider  *sdktrace.TracerProvider
	tracer    trace.Tracer
	server    *httptest.Server
	pool      *tailspan.Pool
	work      time.Duration
}

type order struct {
	ID    int               `json:"id"`
	Lines []map[string]any  `json:"lines"`
	Tags  map[string]string `json:"tags"`
}

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

func newService(options []tailspan.Option, work time.Duration) *service {
	s := &service{work: work, pool: tailspan.NewPool(2, 1000)}
	var processor sdktrace.SpanProcessor = sdktrace.NewBatchSpanProcessor(discard{})
	if options != nil {
		s.processor = tailspan.NewSpanProcessor(processor, options...)
		processor = s.processor
	}
	s.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	s.tracer = s.provider.Tracer("cost")
	s.server = httptest.NewServer(http.HandlerFunc(s.handle))
	return s
}

func (s *service) close(ctx context.Context) {
	s.server.Close()
	s.pool.Close()
	if err := s.provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

func (s *service) handle(w http.ResponseWriter, r *http.Request) {
	ctx, span := s.tracer.Start(r.Context(), "POST /order", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	var given order
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	err := s.pool.Do(ctx, func(ctx context.Context) {
		_, span := s.tracer.Start(ctx, "price")
		defer span.End()
		s.compute()
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, query := s.tracer.Start(ctx, "SELECT stock", trace.WithSpanKind(trace.SpanKindClient))
	time.Sleep(time.Millisecond)
	query.End()
	_, render := s.tracer.Start(ctx, "render")
	defer render.End()
	_ = json.NewEncoder(w).Encode(given)
}

// A fixed amount of work is as many hashes as take the asked time of CPU.
var hashBlock = make([]byte, 4096)

var calibrate = sync.OnceValue(func() time.Duration {
	const rounds = 10_000
	before := cpu()
	for range rounds {
		sum := sha256.Sum256(hashBlock)
		hashBlock[0] ^= sum[0] & 1
	}
	return (cpu() - before) / rounds
})

func (s *service) compute() {
	data := make([]byte, len(hashBlock))
	for range int(s.work / calibrate()) {
		sum := sha256.Sum256(data)
		copy(data, sum[:])
	}
}
