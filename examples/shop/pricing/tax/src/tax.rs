use std::collections::HashMap;
use std::hint::black_box;

use opentelemetry::Context;
use tracing::info_span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::order::Order;

const PER_CENT: i64 = 19;
/// Rules that are looked at before the right one is found; tens of microseconds of work.
const RULES: u64 = 100_000;

pub fn cents(traceparent: Option<&str>, order: &Order) -> i64 {
    let span = info_span!("tax.compute", order.cents = order.cents);
    // Fails without telemetry, when there is no span that could have a parent.
    let _ = span.set_parent(parent(traceparent));
    span.in_scope(|| by_the_rules(order))
}

fn parent(traceparent: Option<&str>) -> Context {
    let carrier: HashMap<String, String> = traceparent
        .map(|value| ("traceparent".to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &carrier)
    })
}

fn by_the_rules(order: &Order) -> i64 {
    let mut checked = 0u64;
    for rule in 0..RULES {
        checked = black_box(checked ^ rule.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    black_box(checked);
    (i128::from(order.cents) * i128::from(PER_CENT) + 50).div_euclid(100) as i64
}
