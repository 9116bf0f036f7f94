// Package telemetry sets up the OpenTelemetry SDK as a service would: exporters by environment, batches, propagation.
package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"tailspan/shop/internal/companion"
	"tailspan/shop/internal/service"
	"tailspan/shop/internal/truthmark"
)

// runtimeRead is how old runtime metrics may be; the default of 15 s would repeat stale points in a run of 40 s.
const runtimeRead = time.Second

// errNoCompanion: a run at that level must not pass for one with the library.
var errNoCompanion = errors.New("SHOP_LEVEL=companion: this binary was built without the companion library")

// Telemetry is what a service tells about itself.
type Telemetry struct {
	// Waits is the tracer of wait spans, nil where the level has none.
	Waits trace.Tracer

	stops []func(context.Context) error
}

// Start sets the global providers.
func Start(ctx context.Context, env service.Environment) (*Telemetry, error) {
	telemetry := &Telemetry{}
	if env.TruthFolder != "" {
		stop, err := truthmark.Record(env.TruthFolder, env.Name)
		if err != nil {
			return nil, err
		}
		telemetry.stops = append(telemetry.stops, func(context.Context) error { return stop() })
	}
	if err := telemetry.startTraces(ctx, env); err != nil {
		return nil, err
	}
	if env.Level == service.LevelDefault {
		return telemetry, nil
	}
	telemetry.Waits = otel.Tracer("tailspan/shop/waits")
	return telemetry, telemetry.startMetrics(ctx)
}

func (t *Telemetry) startTraces(ctx context.Context, env service.Environment) error {
	var exporter sdktrace.SpanExporter
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return err
	}
	if env.Skew != 0 {
		exporter = skewedExporter{SpanExporter: exporter, skew: env.Skew}
	}
	batches := sdktrace.NewBatchSpanProcessor(exporter)
	if env.Level == service.LevelCompanion {
		if !companion.Built {
			return errNoCompanion
		}
		batches = companion.Processor(batches)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(batches)}
	if env.TruthFolder != "" {
		options = append(options, sdktrace.WithSpanProcessor(truthmark.Processor{}))
	}
	provider := sdktrace.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

func (t *Telemetry) startMetrics(ctx context.Context) error {
	exporter, err := otlpmetricgrpc.New(ctx)
	if err != nil {
		return err
	}
	recent := runtime.WithMinimumReadMemStatsInterval(runtimeRead)
	var producerOptions []runtime.ProducerOption
	// It is one, but its type does not say so.
	if option, ok := recent.(runtime.ProducerOption); ok {
		producerOptions = append(producerOptions, option)
	}
	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(runtime.NewProducer(producerOptions...)))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	otel.SetMeterProvider(provider)
	t.stops = append(t.stops, provider.Shutdown)
	return runtime.Start(recent)
}

// Stop flushes everything; the execution trace ends first, so that the flush is not part of the truth.
func (t *Telemetry) Stop(ctx context.Context) error {
	var problems []error
	for _, stop := range t.stops {
		problems = append(problems, stop(ctx))
	}
	return errors.Join(problems...)
}
