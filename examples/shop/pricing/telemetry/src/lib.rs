//! The OpenTelemetry set-up of the shop's Rust parts: tracing spans over OTLP http/protobuf, as the SDK's
//! environment variables say, with truth beside them when `SHOP_TRUTH` asks for it.

mod outgoing;

use std::path::PathBuf;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Identity;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry};
use truth::{StallNotes, Truth, TruthLayer};

use crate::outgoing::OutgoingExporter;

/// What the environment does not say, or what overrides it.
#[derive(Default)]
pub struct Settings {
    /// Name of the truth file and of the tracer.
    pub name: &'static str,
    pub service: Option<String>,
    /// Base address of the OTLP receiver, without `/v1/traces`.
    pub endpoint: Option<String>,
    pub metrics: bool,
    /// Hears of spans before truth and the OpenTelemetry layer do.
    pub layer: Option<RegistryLayer>,
}

pub type RegistryLayer = Box<dyn Layer<Registry> + Send + Sync>;

pub struct Telemetry {
    tracers: SdkTracerProvider,
    meters: Option<SdkMeterProvider>,
    truth: Option<Truth>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Telemetry {
    /// Installs the process-wide subscriber, propagator and meter provider. Call it outside any tokio runtime: the
    /// exporter's client brings its own and refuses to be made inside another.
    pub fn install(mut settings: Settings) -> Result<Self, Failure> {
        // Not as an Option: an optional layer is not told of the dispatcher it ends up in, and would never find it.
        let layer = settings
            .layer
            .take()
            .unwrap_or_else(|| Box::new(Identity::new()));
        let settings = &settings;
        let skew_ns = skew_ns()?;
        let truth = std::env::var_os("SHOP_TRUTH")
            .map(|folder| Truth::start(&PathBuf::from(folder), settings.name, skew_ns))
            .transpose()?;

        let mut tracers = SdkTracerProvider::builder().with_resource(resource(settings));
        if let Some(truth) = &truth {
            tracers = tracers.with_span_processor(truth.processor());
        }
        let tracers = tracers
            .with_batch_exporter(OutgoingExporter::new(span_exporter(settings)?, skew_ns))
            .build();

        tracing_subscriber::registry()
            .with(layer)
            .with(LevelFilter::INFO)
            .with(truth.as_ref().map(|_| TruthLayer))
            .with(tracing_opentelemetry::layer().with_tracer(tracers.tracer(settings.name)))
            .try_init()?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());

        let meters = settings
            .metrics
            .then(|| meter_provider(settings))
            .transpose()?;
        Ok(Self {
            tracers,
            meters,
            truth,
        })
    }

    /// None when no truth is recorded.
    pub fn stall_notes(&self) -> Option<StallNotes> {
        self.truth.as_ref().map(Truth::stall_notes)
    }

    /// Sends what waits and brings the truth file up to date.
    pub fn flush(&self) {
        report("flushing spans", self.tracers.force_flush());
        if let Some(meters) = &self.meters {
            report("flushing metrics", meters.force_flush());
        }
        if let Some(truth) = &self.truth {
            truth.flush();
        }
    }

    /// Sends what waits and closes the truth file.
    pub fn shutdown(&self) {
        report("sending the last spans", self.tracers.shutdown());
        if let Some(meters) = &self.meters {
            report("sending the last metrics", meters.shutdown());
        }
        match self.truth.as_ref().map(Truth::finish) {
            Some(Ok(0)) | None => {}
            Some(Ok(lost)) => eprintln!("truth: {lost} spans went without a line"),
            Some(Err(error)) => eprintln!("truth: {error}"),
        }
    }
}

fn report(doing: &str, result: Result<(), impl std::fmt::Display>) {
    if let Err(error) = result {
        eprintln!("{doing}: {error}");
    }
}

fn skew_ns() -> Result<i64, Failure> {
    let Ok(ms) = std::env::var("SHOP_SKEW_MS") else {
        return Ok(0);
    };
    let ms: i64 = ms
        .parse()
        .map_err(|_| format!("SHOP_SKEW_MS must be whole milliseconds, not {ms:?}"))?;
    Ok(ms.saturating_mul(1_000_000))
}

fn resource(settings: &Settings) -> Resource {
    let resource = Resource::builder();
    match &settings.service {
        Some(service) => resource.with_service_name(service.clone()).build(),
        None => resource.build(),
    }
}

fn span_exporter(settings: &Settings) -> Result<SpanExporter, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_http();
    match &settings.endpoint {
        Some(base) => exporter.with_endpoint(format!("{base}/v1/traces")).build(),
        None => exporter.build(),
    }
}

fn meter_provider(settings: &Settings) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter = MetricExporter::builder().with_http();
    let exporter = match &settings.endpoint {
        Some(base) => exporter.with_endpoint(format!("{base}/v1/metrics")).build(),
        None => exporter.build(),
    }?;
    let meters = SdkMeterProvider::builder()
        .with_resource(resource(settings))
        .with_periodic_exporter(exporter)
        .build();
    opentelemetry::global::set_meter_provider(meters.clone());
    Ok(meters)
}
