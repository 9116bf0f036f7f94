//! For services of `tower`, and so for `axum` and `tonic`.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::observed::Observed;

/// A [`Layer`] that observes the future of every request. From the call to the future's first poll is scheduling.
///
/// It makes no span; put it outside the layer that does (in `axum`, add it after `TraceLayer`):
///
/// ```
/// # use tower::ServiceBuilder;
/// use tailspan::RequestLayer;
/// use tower_http::trace::TraceLayer;
///
/// let stack = ServiceBuilder::new()
///     .layer(RequestLayer::new())
///     .layer(TraceLayer::new_for_http());
/// # drop(stack);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestLayer(());

impl RequestLayer {
    /// There is nothing to set.
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = ObservedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObservedService { inner }
    }
}

/// The [`Service`] that [`RequestLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct ObservedService<S> {
    inner: S,
}

impl<S, R> Service<R> for ObservedService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        Observed::due_now(self.inner.call(request))
    }
}
