use std::sync::{Arc, Mutex, MutexGuard};

/// A span that was polled more often than this keeps its first runs and waits; the rest folds as processing.
const SEGMENTS_MAX: usize = 8192;

/// What a future that is not ready waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A worker, a pool slot, a semaphore.
    Queue,
    /// A timer, a lock, or nothing that anybody said.
    Unsaid,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub start: u64,
    pub end: u64,
    pub allocator_ns: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub start: u64,
    pub end: u64,
    /// When the thing waited for was there; from here to `end` the task could have run and did not.
    pub ready: u64,
    pub waiting: Waiting,
}

/// When the far side of a call took the request and gave its answer, as it says itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FarSide {
    pub received: Option<u64>,
    pub answered: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenWait {
    start: u64,
    waiting: Waiting,
    ready_by: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub runs: Vec<Run>,
    pub waits: Vec<Wait>,
    pub children: Vec<(u64, u64)>,
    pub far: FarSide,
    pub far_id: Option<u64>,
    pub said: Option<(Waiting, Option<u64>)>,
    pub open: Option<OpenWait>,
}

#[derive(Debug)]
pub(crate) struct SpanRecord {
    pub created: u64,
    pub parent: Option<Arc<SpanRecord>>,
    /// When the request was in the kernel that this span answers.
    pub arrived: Option<u64>,
    timeline: Mutex<Timeline>,
}

impl SpanRecord {
    pub fn new(created: u64, parent: Option<Arc<SpanRecord>>, arrived: Option<u64>) -> Self {
        Self {
            created,
            parent,
            arrived,
            timeline: Mutex::default(),
        }
    }

    pub fn timeline(&self) -> MutexGuard<'_, Timeline> {
        // Nothing panics while it is held; a poisoned timeline would still be a whole one.
        self.timeline
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn add_run(&self, run: Run) {
        let mut timeline = self.timeline();
        if timeline.runs.len() < SEGMENTS_MAX {
            timeline.runs.push(run);
        }
    }
}

impl Timeline {
    /// Says what the next wait of this span is for, and, if known beforehand, when it can be over.
    pub fn say(&mut self, waiting: Waiting, ready_by: Option<u64>) {
        self.said = Some((waiting, ready_by));
    }

    pub fn open_wait(&mut self, start: u64) {
        let (waiting, ready_by) = self.said.take().unwrap_or((Waiting::Unsaid, None));
        self.open = Some(OpenWait {
            start,
            waiting,
            ready_by,
        });
    }

    /// `woken` is absent when the future is polled for another's sake, or dropped.
    pub fn close_wait(&mut self, end: u64, woken: Option<u64>) {
        self.said = None;
        let Some(open) = self.open.take() else {
            return;
        };
        let ready = woken.unwrap_or(end).min(open.ready_by.unwrap_or(end));
        self.add_wait(Wait {
            start: open.start,
            end,
            ready: ready.clamp(open.start, end.max(open.start)),
            waiting: open.waiting,
        });
    }

    pub fn add_wait(&mut self, wait: Wait) {
        if self.waits.len() < SEGMENTS_MAX && wait.end > wait.start {
            self.waits.push(wait);
        }
    }
}
