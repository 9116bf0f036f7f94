//! From the span to the exporter: the attributes arrive, as integers, on the right spans.
#![cfg(all(feature = "opentelemetry", feature = "tokio"))]

mod common;

use std::time::Duration;

use common::burn;
use opentelemetry::Value;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use tailspan::Observe as _;
use tailspan::attribute::{ALLOCATOR_NS, PROCESSING_NS, QUEUE_WAIT_NS, SCHEDULING_NS};
use tailspan::sync::Semaphore;
use tracing::instrument::WithSubscriber as _;
use tracing::{Dispatch, Instrument as _, info_span};
use tracing_subscriber::prelude::*;

fn provider(exporter: &InMemorySpanExporter, sampler: Sampler) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(sampler)
        .build()
}

fn amount(span: &SpanData, key: &str) -> Option<i64> {
    let mut values = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
    let value = values.next()?;
    assert!(values.next().is_none(), "{key} twice");
    match value.value {
        Value::I64(ns) => Some(ns),
        ref other => panic!("{key} is {other:?}, not an integer"),
    }
}

fn run(future: impl Future<Output = ()>, dispatch: &Dispatch) {
    common::current_thread().block_on(future.with_subscriber(dispatch.clone()));
}

async fn request() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire().await.unwrap();
    let wait = async { drop(semaphore.acquire().await.unwrap()) };
    let release = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(permit);
    };
    tokio::join!(
        wait.instrument(info_span!("wait", otel.kind = "internal")).tailspan(),
        release
    );
    burn(Duration::from_millis(10));
}

fn traced(provider: &SdkTracerProvider) -> Dispatch {
    Dispatch::new(
        tracing_subscriber::registry()
            .with(tailspan::layer())
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test"))),
    )
}

#[test]
fn attributes_arrive_as_integers_on_every_span_of_the_request() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider(&exporter, Sampler::AlwaysOn);
    let dispatch = traced(&provider);
    run(
        async { request().instrument(info_span!("GET /")).tailspan().await },
        &dispatch,
    );

    let spans = exporter.get_finished_spans().unwrap();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (wait, root) = (span("wait"), span("GET /"));
    assert_eq!(wait.parent_span_id, root.span_context.span_id());
    assert!(amount(wait, QUEUE_WAIT_NS).unwrap() >= 15_000_000, "{wait:?}");
    assert!(amount(root, PROCESSING_NS).unwrap() >= 10_000_000, "{root:?}");
    for span in [wait, root] {
        assert!(amount(span, SCHEDULING_NS).is_some());
        assert_eq!(amount(span, ALLOCATOR_NS), None, "no timing allocator is installed");
        let sum: i64 = [QUEUE_WAIT_NS, SCHEDULING_NS, PROCESSING_NS]
            .iter()
            .filter_map(|key| amount(span, key))
            .sum();
        let length = span.end_time.duration_since(span.start_time).unwrap();
        assert!(
            sum <= i64::try_from(length.as_nanos()).unwrap(),
            "{sum} ns in {length:?}"
        );
    }
}

#[test]
fn a_span_that_stands_for_a_peer_says_nothing_of_what_its_task_ran() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider(&exporter, Sampler::AlwaysOn);
    let dispatch = traced(&provider);
    let calls = async {
        let burning = async { burn(Duration::from_millis(1)) };
        burning.instrument(info_span!("call", otel.kind = "client")).await;
        let burning = async { burn(Duration::from_millis(1)) };
        burning
            .instrument(info_span!("send", otel.kind = ?opentelemetry::trace::SpanKind::Producer))
            .await;
    };
    run(calls.tailspan(), &dispatch);
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 2);
    for span in &spans {
        assert!(amount(span, SCHEDULING_NS).is_some(), "{span:?}");
        assert_eq!(amount(span, PROCESSING_NS), None, "{span:?}");
    }
}

#[test]
fn spans_that_never_ran_and_spans_that_are_not_sampled_get_no_attributes() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider(&exporter, Sampler::AlwaysOn);
    let dispatch = traced(&provider);
    run(async { drop(info_span!("never entered")) }, &dispatch);
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(amount(&spans[0], PROCESSING_NS), None);

    let unsampled = InMemorySpanExporter::default();
    let provider = self::provider(&unsampled, Sampler::AlwaysOff);
    let dispatch = traced(&provider);
    run(async { async {}.instrument(info_span!("unsampled")).await }, &dispatch);
    assert!(unsampled.get_finished_spans().unwrap().is_empty());
}

/// In one test, as the counter is the process's.
#[test]
fn without_the_opentelemetry_layer_behind_it_the_evidence_is_counted_as_lost() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider(&exporter, Sampler::AlwaysOn);
    let wrong_order = Dispatch::new(
        tracing_subscriber::registry()
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
            .with(tailspan::layer()),
    );
    let none_at_all = Dispatch::new(tracing_subscriber::registry().with(tailspan::layer()));
    let before = tailspan::counters().spans_without_opentelemetry;
    for dispatch in [&wrong_order, &none_at_all] {
        run(async { async {}.instrument(info_span!("lost")).await }, dispatch);
    }
    assert_eq!(tailspan::counters().spans_without_opentelemetry, before + 2);
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1, "the span itself is exported all the same");
    assert_eq!(amount(&spans[0], PROCESSING_NS), None);
}

#[test]
fn both_layers_can_share_one_filter() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider(&exporter, Sampler::AlwaysOn);
    let layers = tailspan::layer()
        .and_then(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .with_filter(tracing_subscriber::filter::LevelFilter::INFO);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layers));
    run(
        async {
            async { burn(Duration::from_millis(10)) }
                .instrument(tracing::debug_span!("filtered out"))
                .instrument(info_span!("kept"))
                .tailspan()
                .await;
        },
        &dispatch,
    );
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    assert!(
        amount(&spans[0], PROCESSING_NS).unwrap() >= 10_000_000,
        "not lost in a span nobody sees"
    );
}
