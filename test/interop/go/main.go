// Sends a known number of requests by the OpenTelemetry Go SDK, as any Go service would.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("usage: interop PROTOCOL ADDRESS OPERATION REQUESTS"))
	}
	requests, err := strconv.Atoi(os.Args[4])
	fail(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	exporter, err := newExporter(ctx, os.Args[1], os.Args[2])
	fail(err)
	provider := sdktrace.NewTracerProvider(
		// Blocking, so that a slow server cannot make the SDK drop spans behind our back.
		sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("interop-go"))),
	)
	send(ctx, provider.Tracer("interop"), os.Args[3], requests)
	fail(provider.Shutdown(ctx))
}

func newExporter(ctx context.Context, protocol, address string) (*otlptrace.Exporter, error) {
	switch protocol {
	case "grpc":
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure())
	case "grpc-gzip":
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithCompressor("gzip"))
	case "http":
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure())
	case "http-gzip":
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure(),
			otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	return nil, fmt.Errorf("unknown protocol %q", protocol)
}

// Each request is a SERVER span with an INTERNAL child.
func send(ctx context.Context, tracer trace.Tracer, operation string, requests int) {
	for range requests {
		inner, server := tracer.Start(ctx, operation, trace.WithSpanKind(trace.SpanKindServer))
		_, work := tracer.Start(inner, "work")
		work.End()
		server.End()
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
