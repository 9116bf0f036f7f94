//! The shop's pricing service: axum, tracing and OpenTelemetry as their crates set them up by default.

mod causes;
mod companion;
mod control;
mod database;
mod dice;
mod observe;
mod quote;
mod server;
mod settings;
mod upstream;
mod work;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::causes::Causes;
use crate::database::Database;
use crate::quote::Shop;
use crate::settings::{Level, Settings};

#[global_allocator]
static ALLOCATOR: companion::Allocator = companion::ALLOCATOR;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Few, so that a blocked worker hurts; fixed, so that recordings of different machines compare.
pub const WORKERS: usize = 2;
/// A client that holds its connection open does not hold the process.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pricing: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let settings = Settings::from_environment()?;
    let telemetry = Telemetry::install(telemetry::Settings {
        name: "pricing",
        metrics: settings.level >= Level::Waits,
        layer: companion::layer(settings.level),
        ..telemetry::Settings::default()
    })?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    companion::watch(settings.level, &mut builder);
    let runtime = builder.build()?;
    let causes = Causes::new(runtime.handle().clone(), telemetry.stall_notes());
    let served = serve(&runtime, &settings, Arc::new(causes));
    runtime.shutdown_timeout(Duration::from_secs(1));
    telemetry.shutdown();
    served
}

fn serve(runtime: &Runtime, settings: &Settings, causes: Arc<Causes>) -> Result<(), Failure> {
    let aside = Aside::start(settings, causes.clone())?;
    runtime.block_on(async {
        if settings.level >= Level::Waits {
            opentelemetry_instrumentation_tokio::observe_current_runtime();
        }
        let database = Database::open(settings).await?;
        causes.hold_connections_of(database.clone());
        let shop = Arc::new(Shop::new(database, causes, aside.upstream)?);
        let listener = TcpListener::bind(&settings.listen).await?;
        println!("ready {} control {}", listener.local_addr()?, aside.control);

        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = axum::serve(
            observe::Door::new(listener, settings.level)?,
            server::router(shop),
        )
        .with_graceful_shutdown(async { drop(stopped.await) });
        let serving = tokio::spawn(serving.into_future());
        stop_signal().await?;
        // Fails only when the server has ended already.
        let _ = stop.send(());
        match tokio::time::timeout(LAST_REQUESTS, serving).await {
            Ok(served) => Ok(served??),
            Err(_) => Ok(()),
        }
    })
}

async fn stop_signal() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The control listener and the far side of the upstream call, on a runtime of their own: neither may stand
/// still when the service's workers do.
struct Aside {
    control: SocketAddr,
    upstream: SocketAddr,
}

impl Aside {
    fn start(settings: &Settings, causes: Arc<Causes>) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let upstream = runtime.block_on(TcpListener::bind(&settings.upstream))?;
        let control = runtime.block_on(TcpListener::bind(&settings.control))?;
        let addresses = Self {
            control: control.local_addr()?,
            upstream: upstream.local_addr()?,
        };
        let far_side = upstream::router(causes.clone());
        let upstream = observe::Door::new(upstream, Level::Default)?;
        let switches = control::router(causes);
        std::thread::Builder::new()
            .name("aside".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::join!(
                        axum::serve(upstream, far_side).into_future(),
                        axum::serve(control, switches).into_future()
                    )
                })
            })?;
        Ok(addresses)
    }
}
