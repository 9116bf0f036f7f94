use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use truth::StallNotes;

use crate::WORKERS;
use crate::database::Database;
use crate::dice::between;
use crate::work;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    TokioStall,
    Allocator,
    Burn,
    SlowDependency,
    Sleep,
    Retry,
    DbPool,
}

impl Cause {
    const ALL: [(&'static str, Cause); 7] = [
        ("tokio-stall", Cause::TokioStall),
        ("allocator", Cause::Allocator),
        ("burn", Cause::Burn),
        ("slow-dependency", Cause::SlowDependency),
        ("sleep", Cause::Sleep),
        ("retry", Cause::Retry),
        ("db-pool", Cause::DbPool),
    ];

    pub fn named(name: &str) -> Option<Cause> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, cause)| *cause)
    }
}

/// Which causes are on, and the threads and tasks that make those happen which no request makes itself.
pub struct Causes {
    started: Instant,
    until_ms: [AtomicU64; Cause::ALL.len()],
    stall: Mutex<Stall>,
    churning: AtomicBool,
    holding: AtomicBool,
    service: Handle,
    stall_notes: Option<StallNotes>,
    database: OnceLock<Database>,
}

impl Causes {
    pub fn new(service: Handle, stall_notes: Option<StallNotes>) -> Self {
        Self {
            started: Instant::now(),
            until_ms: Default::default(),
            stall: Mutex::default(),
            stall_notes,
            churning: AtomicBool::new(false),
            holding: AtomicBool::new(false),
            service,
            database: OnceLock::new(),
        }
    }

    pub fn hold_connections_of(&self, database: Database) {
        drop(self.database.set(database));
    }

    pub fn is_on(&self, cause: Cause) -> bool {
        self.now_ms() < self.until_ms[cause as usize].load(Ordering::Relaxed)
    }

    pub fn switch_on(self: &Arc<Self>, cause: Cause, ms: u64) {
        let until = self.now_ms().saturating_add(ms);
        self.until_ms[cause as usize].store(until, Ordering::Relaxed);
        let causes = self.clone();
        match cause {
            Cause::Allocator if !self.churning.swap(true, Ordering::AcqRel) => {
                std::thread::spawn(move || causes.churn_heap());
            }
            Cause::DbPool if !self.holding.swap(true, Ordering::AcqRel) => {
                self.service.spawn(causes.hold_connections());
            }
            _ => {}
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Starts tasks that call blocking code where they should await, as many as there are workers. A request calls
    /// this while it is under way: a stall that nobody is inside of only delays the start of spans. The tasks sleep
    /// rather than spin, so that nothing but this runtime feels them.
    pub fn stall_workers(self: &Arc<Self>) {
        if !self.is_on(Cause::TokioStall) || !self.stall().begin() {
            return;
        }
        let time = Duration::from_millis(between(20, 80));
        for _ in 0..WORKERS {
            let causes = self.clone();
            self.service.spawn(async move {
                let start = truth::now_ns();
                std::thread::sleep(time);
                let blocked = causes.stall().end_one(start, truth::now_ns());
                if let (Some((start, end)), Some(notes)) = (blocked, &causes.stall_notes) {
                    notes.note(start, end);
                }
            });
        }
    }

    fn stall(&self) -> MutexGuard<'_, Stall> {
        self.stall
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Neighbours on the heap: they allocate and free as the storm of a request does.
    fn churn_heap(&self) {
        while self.is_on(Cause::Allocator) {
            work::allocate(Duration::from_millis(5));
            std::thread::sleep(Duration::from_millis(1));
        }
        self.churning.store(false, Ordering::Release);
    }

    /// Batch work that takes every connection for a while.
    async fn hold_connections(self: Arc<Self>) {
        if let Some(database) = self.database.get() {
            while self.is_on(Cause::DbPool) {
                database
                    .hold_all(Duration::from_millis(between(20, 60)))
                    .await;
                tokio::time::sleep(Duration::from_millis(between(10, 30))).await;
            }
        }
        self.holding.store(false, Ordering::Release);
    }
}

/// The blocking tasks that are under way.
#[derive(Default)]
struct Stall {
    left: usize,
    all_from: u64,
    all_until: u64,
}

impl Stall {
    /// False when one is under way already.
    fn begin(&mut self) -> bool {
        if self.left > 0 {
            return false;
        }
        *self = Self {
            left: WORKERS,
            all_from: 0,
            all_until: u64::MAX,
        };
        true
    }

    /// From the last task its answer is the time in which all of them blocked.
    fn end_one(&mut self, start: u64, end: u64) -> Option<(u64, u64)> {
        self.left -= 1;
        self.all_from = self.all_from.max(start);
        self.all_until = self.all_until.min(end);
        (self.left == 0).then_some((self.all_from, self.all_until))
    }
}
