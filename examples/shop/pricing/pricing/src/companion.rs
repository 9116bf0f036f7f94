//! The one place where the companion library (`instrumentation/rust`) comes in, with the cargo feature `companion`.
//! Without it, and below level `companion`, everything here hands its argument back.

#[cfg(feature = "companion")]
pub use with::*;
#[cfg(not(feature = "companion"))]
pub use without::*;

#[cfg(feature = "companion")]
mod with {
    use std::future::Future;

    use axum::Router;
    use telemetry::RegistryLayer;
    use tokio::runtime::Builder;
    use tokio::task::JoinHandle;
    use tokio_util::either::Either;

    use crate::settings::Level;

    pub type Allocator = tailspan::TimingAllocator<truth::TimingAllocator>;
    pub const ALLOCATOR: Allocator = tailspan::TimingAllocator::new(truth::TimingAllocator);

    pub fn layer(level: Level) -> Option<RegistryLayer> {
        (level == Level::Companion).then(|| Box::new(tailspan::layer()) as RegistryLayer)
    }

    /// The service's own runtime.
    pub fn watch(level: Level, builder: &mut Builder) {
        if level == Level::Companion {
            tailspan::watch_workers(builder);
        }
    }

    pub type Connection<S> = Either<S, tailspan::Stamped<S>>;

    /// Truth has asked the kernel for stamps; the companion reads them for itself.
    pub fn connection<S>(level: Level, accepted: S) -> Connection<S> {
        match level {
            Level::Companion => Either::Right(tailspan::Stamped::new(accepted)),
            _ => Either::Left(accepted),
        }
    }

    /// Outside the layer that makes the server's spans.
    pub fn service(router: Router) -> Router {
        router.layer(tailspan::RequestLayer::new())
    }

    pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tailspan::spawn_observed(task)
    }

    pub fn pool_wait<F: Future>(turn: F) -> impl Future<Output = F::Output> {
        tailspan::queue_wait(turn)
    }
}

#[cfg(not(feature = "companion"))]
mod without {
    use std::future::Future;

    use axum::Router;
    use telemetry::RegistryLayer;
    use tokio::runtime::Builder;
    use tokio::task::JoinHandle;

    use crate::settings::Level;

    pub type Allocator = truth::TimingAllocator;
    pub const ALLOCATOR: Allocator = truth::TimingAllocator;

    pub fn layer(_: Level) -> Option<RegistryLayer> {
        None
    }

    pub fn watch(_: Level, _: &mut Builder) {}

    pub type Connection<S> = S;

    pub fn connection<S>(_: Level, accepted: S) -> Connection<S> {
        accepted
    }

    pub fn service(router: Router) -> Router {
        router
    }

    pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(task)
    }

    pub fn pool_wait<F: Future>(turn: F) -> impl Future<Output = F::Output> {
        turn
    }
}
