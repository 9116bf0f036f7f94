//! The split of real futures on real tokio runtimes, each scenario with one known cause.

use std::collections::HashMap;
use std::future::Future;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tracing::{Dispatch, Instrument, Span, dispatcher, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::prelude::*;
use truth::{Truth, TruthLayer, now_ns, queued, spawned, until, within};

#[global_allocator]
static ALLOCATOR: truth::TimingAllocator = truth::TimingAllocator;

/// Scenarios measure time, so they run one after another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Lab {
    runtime: Option<Runtime>,
    truth: Truth,
    folder: PathBuf,
    dispatch: Dispatch,
    _turn: MutexGuard<'static, ()>,
}

type Phases = HashMap<String, f64>;

impl Lab {
    fn new(name: &str, workers: usize) -> Self {
        let turn = ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let folder = std::env::temp_dir().join(format!("truth-{name}-{}", std::process::id()));
        let truth = Truth::start(&folder, "lab", 0).unwrap();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(truth.processor())
            .build();
        let tracer = provider.tracer("lab");
        let dispatch = Dispatch::new(
            tracing_subscriber::registry()
                .with(TruthLayer)
                .with(tracing_opentelemetry::layer().with_tracer(tracer)),
        );
        let on_workers = dispatch.clone();
        let mut builder = match workers {
            0 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let runtime = builder
            .worker_threads(workers.max(1))
            .enable_time()
            .on_thread_start(move || std::mem::forget(dispatcher::set_default(&on_workers)))
            .build()
            .unwrap();
        Self {
            runtime: Some(runtime),
            truth,
            folder,
            dispatch,
            _turn: turn,
        }
    }

    /// Runs the scenario, which answers the span it is about, and returns that span's phases in milliseconds.
    fn phases_of<F: Future<Output = String>>(mut self, scenario: impl FnOnce() -> F) -> Phases {
        let runtime = self.runtime.take().unwrap();
        let id = dispatcher::with_default(&self.dispatch, || runtime.block_on(scenario()));
        drop(runtime);
        assert_eq!(self.truth.finish().unwrap(), 0);
        let lines = std::fs::read_to_string(self.folder.join("lab.truth.jsonl")).unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
        let line = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .find(|line| line["span_id"] == id && line["self"].is_object())
            .expect("the span has a line of truth");
        line["self"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(phase, ns)| (phase.clone(), ns.as_u64().unwrap() as f64 / 1e6))
            .collect()
    }
}

fn span_id() -> String {
    let context = Span::current().context();
    context.span().span_context().span_id().to_string()
}

/// Answers how many milliseconds it really took: the kernel may take the processor away meanwhile.
fn burn(time: Duration) -> f64 {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box(0u64.wrapping_add(1));
    }
    start.elapsed().as_secs_f64() * 1e3
}

/// At least the time that the scenario made, and half as much more for others who hold the processors meanwhile.
fn assert_near(phases: &Phases, phase: &str, ms: f64) {
    let got = phases[phase];
    let most = 1.5 * ms + 15.0;
    assert!(
        (0.9 * ms..most).contains(&got),
        "{phase} is {got} ms instead of {ms}: {phases:?}"
    );
}

/// A busy machine adds some scheduling to everything, so that is not asked about.
fn assert_rest_small(phases: &Phases, known: &[&str]) {
    let is_known = |phase: &str| known.contains(&phase);
    let sum_of = |wanted: &dyn Fn(&str) -> bool| -> f64 {
        let chosen = phases.iter().filter(|(phase, _)| wanted(phase));
        chosen.map(|(_, ms)| ms).sum()
    };
    let rest = sum_of(&|phase| !is_known(phase) && phase != "scheduling");
    assert!(
        rest < 0.4 * sum_of(&is_known),
        "{rest} ms are in other phases: {phases:?}"
    );
}

/// Times are only as told while nobody else takes the processors away for long: tries again, and a split that is
/// wrong is wrong every time.
fn in_a_quiet_moment(check: impl Fn() + std::panic::RefUnwindSafe) {
    for _ in 0..30 {
        if std::panic::catch_unwind(&check).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    check();
}

#[test]
fn a_blocked_worker_is_scheduling_of_the_task_that_was_woken() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("blocked", 0).phases_of(|| async {
            let (done, wait) = tokio::sync::oneshot::channel();
            let victim = tokio::spawn(
                within(async move {
                    wait.await.unwrap();
                    span_id()
                })
                .instrument(info_span!("victim")),
            );
            tokio::task::yield_now().await;
            done.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(60));
            victim.await.unwrap()
        });
        assert_near(&phases, "scheduling", 60.0);
        assert_rest_small(&phases, &["scheduling"]);
    });
}

#[test]
fn blocked_workers_delay_the_first_poll_of_a_spawned_task() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("spawned", 2).phases_of(|| async {
            let block = || async { std::thread::sleep(Duration::from_millis(60)) };
            let blockers = [tokio::spawn(block()), tokio::spawn(block())];
            // The runtime's timers stand still with its workers; this thread is none of them.
            std::thread::sleep(Duration::from_millis(10));
            let span = info_span!("late");
            let late = tokio::spawn(spawned(async { span_id() }).instrument(span));
            for blocker in blockers {
                blocker.await.unwrap();
            }
            late.await.unwrap()
        });
        assert_near(&phases, "scheduling", 50.0);
        assert_rest_small(&phases, &["scheduling"]);
    });
}

#[test]
fn a_timer_that_fires_late_is_scheduling_from_its_deadline_on() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("timer", 0).phases_of(|| async {
            let sleeper = tokio::spawn(
                within(async {
                    let pause = Duration::from_millis(20);
                    until(
                        now_ns() + pause.as_nanos() as u64,
                        tokio::time::sleep(pause),
                    )
                    .await;
                    span_id()
                })
                .instrument(info_span!("sleeper")),
            );
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(80));
            sleeper.await.unwrap()
        });
        assert_near(&phases, "unattributed", 20.0);
        assert_near(&phases, "scheduling", 60.0);
    });
}

#[test]
fn a_held_semaphore_is_queue_wait() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("semaphore", 2).phases_of(|| async {
            let pool = Arc::new(Semaphore::new(1));
            let held = pool.clone().acquire_owned().await.unwrap();
            let client = tokio::spawn(
                within(async move {
                    let _slot = queued(pool.acquire()).await.unwrap();
                    span_id()
                })
                .instrument(info_span!("client")),
            );
            tokio::time::sleep(Duration::from_millis(70)).await;
            drop(held);
            client.await.unwrap()
        });
        assert_near(&phases, "queue_wait", 70.0);
        assert_rest_small(&phases, &["queue_wait"]);
    });
}

#[test]
fn a_busy_loop_is_processing() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("burn", 2).phases_of(|| {
            within(async {
                burn(Duration::from_millis(50));
                span_id()
            })
            .instrument(info_span!("burn"))
        });
        assert_near(&phases, "processing", 50.0);
        assert_rest_small(&phases, &["processing"]);
    });
}

#[test]
fn an_allocation_storm_is_allocator() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("storm", 2).phases_of(|| {
            within(async {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(50) {
                    // Fresh pages come from the kernel and go back to it, both inside the allocator.
                    for _ in 0..100 {
                        black_box(Vec::<u8>::with_capacity(64 << 20));
                    }
                }
                span_id()
            })
            .instrument(info_span!("storm"))
        });
        let share = phases["allocator"] / (phases["allocator"] + phases["processing"]);
        assert!(share > 0.8, "the allocator had {share}: {phases:?}");
        assert_rest_small(&phases, &["allocator", "processing"]);
    });
}

#[test]
fn a_sleep_that_nobody_explains_is_unattributed() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("sleep", 2).phases_of(|| {
            within(async {
                tokio::time::sleep(Duration::from_millis(40)).await;
                span_id()
            })
            .instrument(info_span!("sleep"))
        });
        assert_near(&phases, "unattributed", 40.0);
        assert_rest_small(&phases, &["unattributed"]);
    });
}

#[test]
fn a_parent_keeps_only_what_its_children_leave() {
    in_a_quiet_moment(|| {
        let own = Mutex::new(0.0);
        let phases = Lab::new("parent", 2).phases_of(|| {
            within(async {
                *own.lock().unwrap() = burn(Duration::from_millis(20));
                within(tokio::time::sleep(Duration::from_millis(40)))
                    .instrument(info_span!("same task"))
                    .await;
                let work = async { burn(Duration::from_millis(30)) };
                tokio::spawn(spawned(work).instrument(info_span!("own task")))
                    .await
                    .unwrap();
                span_id()
            })
            .instrument(info_span!("parent"))
        });
        assert_near(&phases, "processing", own.into_inner().unwrap());
        assert_rest_small(&phases, &["processing"]);
    });
}

#[test]
fn a_call_is_downstream() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("call", 2).phases_of(|| {
            within(async {
                tokio::time::sleep(Duration::from_millis(40)).await;
                span_id()
            })
            .instrument(info_span!("call", otel.kind = "client"))
        });
        assert_near(&phases, "downstream", 40.0);
        assert_rest_small(&phases, &["downstream"]);
    });
}

#[test]
fn a_branch_that_was_not_woken_keeps_waiting_while_its_neighbour_is_polled() {
    in_a_quiet_moment(|| {
        let phases = Lab::new("branches", 0).phases_of(|| async {
            let (first_done, first) = tokio::sync::oneshot::channel::<()>();
            let (second_done, second) = tokio::sync::oneshot::channel::<()>();
            let task = tokio::spawn(async move {
                let first = within(async { first.await.unwrap() }).instrument(info_span!("first"));
                let second = within(async {
                    second.await.unwrap();
                    span_id()
                })
                .instrument(info_span!("second"));
                let (mut first, mut second) = (Box::pin(first), Box::pin(second));
                let mut first_is_done = false;
                std::future::poll_fn(move |context| {
                    if !first_is_done {
                        first_is_done = first.as_mut().poll(context).is_ready();
                    }
                    second.as_mut().poll(context)
                })
                .await
            });
            tokio::task::yield_now().await;
            first_done.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(30));
            tokio::task::yield_now().await;
            second_done.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            task.await.unwrap()
        });
        assert_near(&phases, "unattributed", 30.0);
        assert_near(&phases, "scheduling", 20.0);
    });
}
