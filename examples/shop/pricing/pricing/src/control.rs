use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::put;

use crate::causes::{Cause, Causes};

/// An episode that nobody ends is over after this.
const EPISODE_MS_MAX: u64 = 600_000;

pub fn router(causes: Arc<Causes>) -> Router {
    Router::new()
        .route("/cause/{name}", put(switch_on))
        .with_state(causes)
}

async fn switch_on(
    State(causes): State<Arc<Causes>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, (StatusCode, String)> {
    let Some(cause) = Cause::named(&name) else {
        return Err((StatusCode::NOT_FOUND, format!("no cause {name:?} here\n")));
    };
    let Some(ms) = milliseconds(&query.unwrap_or_default()) else {
        let wanted = format!("?ms= must be 1 to {EPISODE_MS_MAX}\n");
        return Err((StatusCode::BAD_REQUEST, wanted));
    };
    causes.switch_on(cause, ms);
    Ok(StatusCode::NO_CONTENT)
}

fn milliseconds(query: &str) -> Option<u64> {
    let parameters: HashMap<&str, &str> = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .collect();
    let ms = parameters.get("ms")?.parse().ok()?;
    (1..=EPISODE_MS_MAX).contains(&ms).then_some(ms)
}
