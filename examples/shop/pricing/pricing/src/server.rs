use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use serde_json::{Value, json};

use crate::causes::Cause;
use crate::companion;
use crate::dice::chance;
use crate::observe;
use crate::quote::{Order, Shop};

const ITEM_NAME_MAX: usize = 64;
const QUANTITY_MAX: i64 = 1_000_000;
/// Of the requests in a `retry` episode, this share is refused and the rest waits longer than a caller should.
const REFUSED_SHARE: u64 = 60;
const TOO_LONG: Duration = Duration::from_millis(400);

type Refusal = (StatusCode, String);

pub fn router(shop: Arc<Shop>) -> Router {
    let router = Router::new()
        .route("/price", post(price))
        .with_state(shop)
        .layer(from_fn(observed))
        .layer(OtelAxumLayer::default());
    companion::service(router)
}

async fn observed(request: Request, next: Next) -> Response {
    observe::body(next.run(request)).await
}

async fn price(
    State(shop): State<Arc<Shop>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    if shop.causes.is_on(Cause::Retry) {
        if chance(REFUSED_SHARE) {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "try again\n".into()));
        }
        observe::sleep(TOO_LONG).await;
    }
    let order = order_of(&body)?;
    let cents = shop
        .quote(&order)
        .await
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")))?;
    Ok(Json(json!({ "cents": cents })))
}

fn order_of(body: &Value) -> Result<Order, Refusal> {
    let bad = |what: &str| (StatusCode::BAD_REQUEST, format!("{what}\n"));
    let item = body["item"]
        .as_str()
        .filter(|name| name.len() <= ITEM_NAME_MAX)
        .and_then(|name| name.trim_start_matches('i').parse().ok())
        .ok_or_else(|| bad("item must be a name like \"i17\""))?;
    let quantity = body["quantity"]
        .as_i64()
        .filter(|quantity| (1..=QUANTITY_MAX).contains(quantity))
        .ok_or_else(|| bad("quantity must be a whole number from 1 to 1000000"))?;
    Ok(Order { item, quantity })
}
