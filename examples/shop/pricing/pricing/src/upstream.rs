//! The exchange-rate service that pricing calls: its far side, which has no spans, and its client, which has.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use opentelemetry::trace::TraceContextExt;
use tracing::{Instrument, Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::causes::{Cause, Causes};
use crate::dice::between;
use crate::observe;

const PER_MILLE: i64 = 1_000;

pub fn router(causes: Arc<Causes>) -> Router {
    Router::new().route("/rate", get(rate)).with_state(causes)
}

async fn rate(State(causes): State<Arc<Causes>>, headers: HeaderMap) -> String {
    let caller = caller_span_id(&headers);
    caller.inspect(|caller| truth::far_received(*caller));
    let pause = if causes.is_on(Cause::SlowDependency) {
        between(30, 80)
    } else {
        1
    };
    tokio::time::sleep(Duration::from_millis(pause)).await;
    caller.inspect(|caller| truth::far_answered(*caller));
    (PER_MILLE + between(0, 40) as i64).to_string()
}

fn caller_span_id(headers: &HeaderMap) -> Option<u64> {
    let traceparent = headers.get("traceparent")?.to_str().ok()?;
    u64::from_str_radix(traceparent.split('-').nth(2)?, 16).ok()
}

pub struct RateClient {
    http: reqwest::Client,
    far_side: SocketAddr,
}

impl RateClient {
    pub fn new(far_side: SocketAddr) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, far_side })
    }

    /// How many thousandths of a cent a cent is worth today.
    pub async fn per_mille(&self) -> Result<i64, reqwest::Error> {
        let url = format!("http://{}/rate", self.far_side);
        let span = info_span!(
            "rate",
            otel.name = "GET",
            otel.kind = "client",
            http.request.method = "GET",
            server.address = %self.far_side.ip(),
            server.port = i64::from(self.far_side.port()),
            url.full = url,
            http.response.status_code = field::Empty,
        );
        observe::body(self.call(url)).instrument(span).await
    }

    async fn call(&self, url: String) -> Result<i64, reqwest::Error> {
        let span = Span::current();
        let response = self.http.get(url).headers(propagated(&span)).send().await?;
        span.record(
            "http.response.status_code",
            i64::from(response.status().as_u16()),
        );
        let text = response.error_for_status()?.text().await?;
        Ok(text.parse().unwrap_or(PER_MILLE))
    }
}

fn propagated(span: &Span) -> HeaderMap {
    let context = span.context();
    let span_id = context.span().span_context().span_id();
    truth::watch_far_side(u64::from_be_bytes(span_id.to_bytes()));
    let mut carrier = std::collections::HashMap::new();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut carrier);
    });
    carrier
        .iter()
        .filter_map(|(name, value)| {
            let name = axum::http::HeaderName::try_from(name.as_str()).ok()?;
            Some((name, value.parse().ok()?))
        })
        .collect()
}
