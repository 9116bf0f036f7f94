//! Sends a known number of requests by the OpenTelemetry Rust SDK, as any Rust service would.

use std::error::Error;

use opentelemetry::Context;
use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_otlp::{Compression, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, protocol, address, operation, requests] = args.as_slice() else {
        return Err("usage: interop PROTOCOL ADDRESS OPERATION REQUESTS".into());
    };
    // The gRPC client needs a runtime; the HTTP client is the blocking one and must be built outside of it.
    let runtime = tokio::runtime::Runtime::new()?;
    let exporter = if protocol.starts_with("grpc") {
        let _entered = runtime.enter();
        grpc_exporter(protocol, address)?
    } else {
        http_exporter(protocol, address)?
    };
    let requests: usize = requests.parse()?;
    // The SDK drops what its queue cannot hold: this one holds every span of the run.
    let batches = BatchConfigBuilder::default().with_max_queue_size(4 * requests).build();
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("interop-rust").build())
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .build();
    send(&provider.tracer("interop"), operation, requests);
    provider.shutdown()?;
    Ok(())
}

fn grpc_exporter(protocol: &str, address: &str) -> Result<SpanExporter, Box<dyn Error>> {
    let builder = SpanExporter::builder().with_tonic().with_endpoint(format!("http://{address}"));
    Ok(match protocol {
        "grpc" => builder.build()?,
        "grpc-gzip" => builder.with_compression(Compression::Gzip).build()?,
        _ => return Err(format!("unknown protocol {protocol:?}").into()),
    })
}

fn http_exporter(protocol: &str, address: &str) -> Result<SpanExporter, Box<dyn Error>> {
    let builder = SpanExporter::builder().with_http().with_endpoint(format!("http://{address}/v1/traces"));
    Ok(match protocol {
        "http" => builder.with_protocol(Protocol::HttpBinary).build()?,
        "http-gzip" => builder.with_protocol(Protocol::HttpBinary).with_compression(Compression::Gzip).build()?,
        "http-json" => builder.with_protocol(Protocol::HttpJson).build()?,
        _ => return Err(format!("unknown protocol {protocol:?}").into()),
    })
}

/// Each request is a SERVER span with an INTERNAL child.
fn send(tracer: &SdkTracer, operation: &str, requests: usize) {
    for _ in 0..requests {
        let server = tracer.span_builder(operation.to_owned()).with_kind(SpanKind::Server).start(tracer);
        let context = Context::new().with_span(server);
        tracer.start_with_context("work", &context).end();
        context.span().end();
    }
}
