//! The amounts of a span never exceed its self time, under a random load with concurrency of every sort.
//!
//! One layer inside and one outside of [`SpanLayer`] bound the self time from above, without tolerance: the span from
//! the earliest to the latest moment, less every child from the latest to the earliest.

mod common;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::burn;
use tailspan::sync::{Semaphore, mpsc};
use tailspan::{Observe as _, SpanLayer, SpanTimes, spawn_observed};
use tracing::span::{Attributes, Id};
use tracing::{Instrument as _, Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

#[derive(Default)]
struct Record {
    parent: Option<u64>,
    first: Option<Instant>,
    opened: Option<Instant>,
    closing: Option<Instant>,
    last: Option<Instant>,
    times: Option<SpanTimes>,
}

/// By a number of the span's own: ids are used again.
type Records = Arc<Mutex<HashMap<u64, Record>>>;

struct Number(u64);

struct Inside(Records);
struct Outside(Records);

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for Inside {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let first = Instant::now();
        let span = context.span(id).unwrap();
        let parent = span
            .parent()
            .map(|parent| parent.extensions().get::<Number>().unwrap().0);
        let mut records = self.0.lock().unwrap();
        let number = records.len() as u64;
        span.extensions_mut().insert(Number(number));
        records.insert(
            number,
            Record {
                parent,
                first: Some(first),
                ..Record::default()
            },
        );
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let closing = Instant::now();
        let number = context.span(&id).unwrap().extensions().get::<Number>().unwrap().0;
        self.0.lock().unwrap().get_mut(&number).unwrap().closing = Some(closing);
    }
}

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for Outside {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let number = context.span(id).unwrap().extensions().get::<Number>().unwrap().0;
        self.0.lock().unwrap().get_mut(&number).unwrap().opened = Some(Instant::now());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let number = context.span(&id).unwrap().extensions().get::<Number>().unwrap().0;
        self.0.lock().unwrap().get_mut(&number).unwrap().last = Some(Instant::now());
    }
}

#[derive(Clone)]
struct World {
    semaphore: Semaphore,
    jobs: mpsc::Sender<tokio::sync::oneshot::Sender<()>>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn node(world: World, seed: u64, depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut random = Random(seed);
        let child = |random: &mut Random| {
            let seed = random.below(1 << 30);
            node(world.clone(), seed, depth + 1)
        };
        for _ in 0..4 {
            let deep = depth >= 3;
            match random.below(if deep { 5 } else { 10 }) {
                0 => burn(Duration::from_micros(random.below(100))),
                1 => tokio::time::sleep(Duration::from_micros(random.below(800))).await,
                2 => {
                    let _permit = world.semaphore.acquire().await.unwrap();
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
                3 => {
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    world.jobs.send_job(answer).await.unwrap();
                    answered.await.unwrap();
                }
                4 => tokio::task::yield_now().await,
                5 => child(&mut random).instrument(info_span!("child")).await,
                6 => {
                    let (left, right) = (child(&mut random), child(&mut random));
                    tokio::join!(
                        left.instrument(info_span!("left")),
                        right.instrument(info_span!("right")).tailspan()
                    );
                }
                7 => drop(spawn_observed(child(&mut random).instrument(info_span!("spawned")))),
                8 => spawn_observed(child(&mut random).in_current_span()).await.unwrap(),
                _ => {
                    let hasty = child(&mut random).instrument(info_span!("hasty")).tailspan();
                    let _ = tokio::time::timeout(Duration::from_micros(300), hasty).await;
                }
            }
        }
    })
}

fn covered_by_children(children: &[(Instant, Instant)]) -> Duration {
    let mut children = children.to_vec();
    children.sort_unstable();
    let mut until = None;
    let mut covered = Duration::ZERO;
    for (from, to) in children {
        let from = until.map_or(from, |until| from.max(until));
        covered += to.saturating_duration_since(from);
        until = Some(until.map_or(to, |until: Instant| until.max(to)));
    }
    covered
}

#[test]
fn the_amounts_of_a_span_never_exceed_its_self_time() {
    let records = Records::default();
    let sink = Arc::clone(&records);
    let layer = SpanLayer::with_sink(move |span, times| {
        let number = span.extensions().get::<Number>().unwrap().0;
        sink.lock().unwrap().get_mut(&number).unwrap().times = Some(times);
    });
    tracing_subscriber::registry()
        .with(Inside(Arc::clone(&records)))
        .with(layer)
        .with(Outside(Arc::clone(&records)))
        .init();

    let runtime = common::workers(3);
    runtime.block_on(async {
        let (jobs, mut todo) = mpsc::channel::<tokio::sync::oneshot::Sender<()>>(2);
        tokio::spawn(async move {
            while let Some(answer) = todo.recv().await {
                tokio::time::sleep(Duration::from_micros(50)).await;
                let _ = answer.send(());
            }
        });
        let world = World {
            semaphore: Semaphore::new(2),
            jobs,
        };
        let roots: Vec<_> = (0..60)
            .map(|seed| spawn_observed(node(world.clone(), seed, 0).instrument(info_span!("root"))))
            .collect();
        for root in roots {
            root.await.unwrap();
        }
        drop(world);
    });
    runtime.shutdown_timeout(Duration::from_secs(20));

    let records = records.lock().unwrap();
    let mut children: HashMap<u64, Vec<(Instant, Instant)>> = HashMap::new();
    for record in records.values() {
        let (Some(parent), Some(from)) = (record.parent, record.opened) else {
            continue;
        };
        // A child that outlives its parent covers it to its end.
        let to = record.closing.or(records[&parent].last);
        if let Some(to) = to {
            children.entry(parent).or_default().push((from, to));
        }
    }
    let (mut checked, mut totals) = (0, [0_u64; 3]);
    for (number, record) in records.iter() {
        let (Some(times), Some(last)) = (record.times, record.last) else {
            continue;
        };
        let children: Vec<_> = children
            .get(number)
            .into_iter()
            .flatten()
            .map(|(from, to)| (*from, (*to).min(last)))
            .filter(|(from, to)| from < to)
            .collect();
        let self_time = last - record.first.unwrap() - covered_by_children(&children);
        let amounts = [times.processing_ns, times.scheduling_ns, times.queue_wait_ns].map(Option::unwrap_or_default);
        let sum = Duration::from_nanos(amounts.iter().sum());
        assert!(
            sum <= self_time,
            "{times:?} of {self_time:?} and {} children",
            children.len()
        );
        for (total, amount) in totals.iter_mut().zip(amounts) {
            *total += amount;
        }
        checked += 1;
    }
    assert!(checked > 500, "only {checked} spans");
    assert!(
        totals.iter().all(|total| *total > 1_000_000),
        "each kind of time occurred: {totals:?}"
    );
}
