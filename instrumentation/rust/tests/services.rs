//! The tower layer, as a service of its own and under axum with tower-http's spans.
#![cfg(all(feature = "tower", feature = "tokio"))]

mod common;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use common::{burn, current_thread, install, ms, times};
use tailspan::RequestLayer;
use tower::{Service as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::trace::TraceLayer;
use tracing::{Instrument as _, info_span};

#[test]
fn an_axum_request_is_measured_span_by_span() {
    install();
    let handler = || async {
        burn(Duration::from_millis(20));
        async { tokio::time::sleep(Duration::from_millis(30)).await }
            .instrument(info_span!("axum_child"))
            .await;
        "done"
    };
    let spans = TraceLayer::new_for_http().make_span_with(|_: &Request<Body>| info_span!("axum_request"));
    let app = Router::new()
        .route("/", get(handler))
        .layer(spans)
        .layer(RequestLayer::new());
    let start = Instant::now();
    current_thread().block_on(async {
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert!(response.status().is_success());
    });
    let around = start.elapsed();
    let (request, child) = (times("axum_request"), times("axum_child"));
    assert!(ms(request.processing_ns) >= 20.0, "{request:?}");
    assert!(
        ms(child.processing_ns) + ms(child.scheduling_ns) + 29.0 < around.as_secs_f64() * 1e3,
        "a sleep is neither: {child:?}"
    );
    assert!(
        request.scheduling_ns.is_some() && child.scheduling_ns.is_some(),
        "observed"
    );
}

#[test]
fn from_the_call_to_the_first_poll_is_scheduling() {
    install();
    let inner = service_fn(|()| {
        let span = info_span!("called");
        async { Ok::<_, Infallible>(()) }.instrument(span)
    });
    let mut service = ServiceBuilder::new().layer(RequestLayer::new()).service(inner);
    current_thread().block_on(async {
        let answer = service.ready().await.unwrap().call(());
        burn(Duration::from_millis(20));
        answer.await.unwrap();
    });
    assert!(ms(times("called").scheduling_ns) >= 19.0);
}
