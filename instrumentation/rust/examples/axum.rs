//! A service whose slow requests have known causes, exported over OTLP.
//!
//! ```text
//! cargo run --example axum                       # to http://127.0.0.1:4318, or OTEL_EXPORTER_OTLP_ENDPOINT
//! curl http://127.0.0.1:3000/queue               # or /burn, /allocate, /spawn
//! ```
//!
//! PORT chooses another port, 0 a free one.

use std::alloc::System;
use std::error::Error;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::routing::get;
use axum::serve::Listener;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tailspan::sync::Semaphore;
use tailspan::{RequestLayer, Stamped, TimingAllocator, spawn_observed, stamp_arrivals};
use tokio::net::{TcpListener, TcpStream};
use tower_http::trace::TraceLayer;
use tracing::{Instrument as _, info_span, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: TimingAllocator<System> = TimingAllocator::new(System);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = exporting()?;
    let layers = tailspan::layer()
        .and_then(tracing_opentelemetry::layer().with_tracer(provider.tracer("example")))
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(layers).init();

    let spans = TraceLayer::new_for_http().make_span_with(|request: &Request<Body>| {
        info_span!(
            "request",
            otel.kind = "server",
            otel.name = format!("{} {}", request.method(), request.uri().path()),
            http.request.method = request.method().as_str(),
            http.route = request.uri().path(),
        )
    });
    let app = Router::new()
        .route("/burn", get(burn))
        .route("/queue", get(queue))
        .route("/allocate", get(allocate))
        .route("/spawn", get(spawn))
        .with_state(Semaphore::new(1))
        .layer(spans)
        .layer(RequestLayer::new());

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    stamp_arrivals(&listener)?;
    let stopped = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(Door(listener), app).with_graceful_shutdown(stopped).await?;
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

/// Its connections know when what they read had arrived. (On Linux; elsewhere serve the listener itself.)
struct Door(TcpListener);

impl Listener for Door {
    type Io = Stamped<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Stamped::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

fn exporting() -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("tailspan-example").build())
        .build())
}

/// 20 ms of `processing`.
async fn burn() {
    compute(Duration::from_millis(20));
}

/// `queue_wait` when several such requests are about: one permit, held for 20 ms.
async fn queue(State(permits): State<Semaphore>) {
    let _permit = permits.acquire().await;
    use_the_resource().await;
}

#[instrument]
async fn use_the_resource() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// `allocator`: much of it in the allocator, some in filling what was allocated.
async fn allocate() {
    for _ in 0..20_000 {
        black_box(vec![1_u8; 4_096]);
    }
}

/// `scheduling`: a task whose turn comes only when a worker is free, which `/burn` keeps busy.
async fn spawn() {
    let task = async { compute(Duration::from_millis(1)) };
    let _ = spawn_observed(task.instrument(info_span!("spawned"))).await;
}

fn compute(how_long: Duration) {
    let start = Instant::now();
    while start.elapsed() < how_long {
        std::hint::spin_loop();
    }
}
