use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::clock::to_ns;
use crate::far::forget_far_side;
use crate::fold::{Placed, SelfTime, SpanTimes, fold};
use crate::layer::take_closing;
use crate::record::SpanRecord;
use crate::start_recording;

/// Finished spans that the writer has not come to yet; beyond it spans go without truth, and are counted.
const WAITING_MAX: usize = 65_536;
/// A span cut into more pieces than this gets its sums, but not their places.
const PLACED_MAX: usize = 256;
/// A span that starts later than this after its record was made is another span.
const SAME_SPAN_NS: u64 = 5_000_000;

#[derive(Debug)]
struct Finished {
    record: Arc<SpanRecord>,
    trace_id: TraceId,
    span_id: SpanId,
    times: SpanTimes,
}

#[derive(Debug)]
enum Message {
    Span(Finished),
    Stall(u64, u64),
    /// Answered when everything before it is in the file.
    Flush(SyncSender<()>),
}

/// The side channel of one process: a file with a line per finished span.
pub struct Truth {
    outbox: Arc<Outbox>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

#[derive(Debug)]
struct Outbox {
    sender: Mutex<Option<SyncSender<Message>>>,
    lost: AtomicU64,
}

impl Truth {
    /// Starts recording into `<folder>/<name>.truth.jsonl`. `skew_ns` is added to every time written, as it is to
    /// the times of the spans.
    pub fn start(folder: &Path, name: &str, skew_ns: i64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let writer = Writer {
            spans: create(folder, &format!("{name}.truth.jsonl"))?,
            stalls: create(folder, &format!("{name}.stalls.jsonl"))?,
            skew_ns,
        };
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let writer = std::thread::Builder::new()
            .name("truth-writer".into())
            .spawn(move || writer.write(receiver))?;
        start_recording();
        Ok(Self {
            outbox: Arc::new(Outbox {
                sender: Mutex::new(Some(sender)),
                lost: AtomicU64::new(0),
            }),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Goes to the tracer provider; the file needs the exact times and ids that are exported.
    pub fn processor(&self) -> TruthProcessor {
        TruthProcessor {
            outbox: self.outbox.clone(),
        }
    }

    /// For those who know when no task of the process could run.
    pub fn stall_notes(&self) -> StallNotes {
        StallNotes {
            outbox: self.outbox.clone(),
        }
    }

    /// Writes what waits.
    pub fn flush(&self) {
        let sender = lock(&self.outbox.sender).clone();
        let (done, wait) = sync_channel(1);
        if sender.is_some_and(|sender| sender.send(Message::Flush(done)).is_ok()) {
            // An error means that the writer has gone; `finish` tells why.
            let _ = wait.recv();
        }
    }

    /// Writes what waits and closes the file. Spans that end later get no line. Returns how many had none.
    pub fn finish(&self) -> io::Result<u64> {
        drop(lock(&self.outbox.sender).take());
        if let Some(writer) = lock(&self.writer).take() {
            writer
                .join()
                .map_err(|_| io::Error::other("the truth writer panicked"))??;
        }
        Ok(self.outbox.lost.load(Ordering::Relaxed))
    }
}

/// Notes when every worker of the runtime was blocked, in `<name>.stalls.jsonl`. A request that arrives meanwhile has
/// no span yet, so no span's truth tells of it.
#[derive(Clone, Debug)]
pub struct StallNotes {
    outbox: Arc<Outbox>,
}

impl StallNotes {
    /// Unix nanoseconds.
    pub fn note(&self, start: u64, end: u64) {
        if end > start {
            self.outbox.put(Message::Stall(start, end));
        }
    }
}

/// See [`Truth::processor`].
#[derive(Debug)]
pub struct TruthProcessor {
    outbox: Arc<Outbox>,
}

impl SpanProcessor for TruthProcessor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let start = to_ns(span.start_time);
        let Some(record) = take_closing()
            .filter(|record| start >= record.created && start - record.created < SAME_SPAN_NS)
        else {
            return;
        };
        let times = SpanTimes {
            start,
            end: to_ns(span.end_time),
            is_call: span.span_kind == SpanKind::Client,
        };
        if let Some(far_id) = record.timeline().far_id {
            forget_far_side(far_id);
        }
        if let Some(parent) = &record.parent {
            parent.timeline().children.push((times.start, times.end));
        }
        self.outbox.put(Message::Span(Finished {
            record,
            trace_id: span.span_context.trace_id(),
            span_id: span.span_context.span_id(),
            times,
        }));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, _: &Resource) {}
}

impl Outbox {
    fn put(&self, message: Message) {
        let sent = lock(&self.sender)
            .as_ref()
            .is_some_and(|sender| sender.try_send(message).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn create(folder: &Path, name: &str) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(folder.join(name))?))
}

struct Writer {
    spans: BufWriter<File>,
    stalls: BufWriter<File>,
    skew_ns: i64,
}

impl Writer {
    fn write(mut self, messages: Receiver<Message>) -> io::Result<()> {
        for message in messages {
            match message {
                Message::Span(span) => self.write_span(&span)?,
                Message::Stall(start, end) => writeln!(
                    self.stalls,
                    r#"{{"start":"{}","end":"{}"}}"#,
                    start.saturating_add_signed(self.skew_ns),
                    end.saturating_add_signed(self.skew_ns)
                )?,
                Message::Flush(done) => {
                    self.flush()?;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spans.flush()?;
        self.stalls.flush()
    }

    fn write_span(&mut self, span: &Finished) -> io::Result<()> {
        let (self_time, placed) = {
            let mut timeline = span.record.timeline();
            timeline.close_wait(span.times.end, None);
            fold(&timeline, span.times)
        };
        let ids = format!(
            r#""trace_id":"{}","span_id":"{}""#,
            span.trace_id, span.span_id
        );
        writeln!(
            self.spans,
            "{{{ids},\"self\":{}{}}}",
            self_json(&self_time),
            before_json(span)
        )?;
        if placed.is_empty() || placed.len() > PLACED_MAX {
            return Ok(());
        }
        writeln!(
            self.spans,
            "{{{ids},\"intervals\":[{}]}}",
            placed_json(&placed, self.skew_ns)
        )
    }
}

fn self_json(time: &SelfTime) -> String {
    format!(
        r#"{{"queue_wait":{},"scheduling":{},"gc":0,"allocator":{},"processing":{},"downstream":{},"network":0,"unattributed":{}}}"#,
        time.queue_wait,
        time.scheduling,
        time.allocator,
        time.processing,
        time.downstream,
        time.unattributed
    )
}

/// From the arrival of the request to its span nothing but the process itself kept it.
fn before_json(Finished { record, times, .. }: &Finished) -> String {
    record
        .arrived
        .and_then(|arrived| times.start.checked_sub(arrived))
        .map_or_else(String::new, |late| {
            format!(r#","before":{{"scheduling":{late}}}"#)
        })
}

fn placed_json(placed: &[Placed], skew_ns: i64) -> String {
    let pieces: Vec<String> = placed
        .iter()
        .map(|piece| {
            let allocator = match piece.allocator_ns {
                0 => String::new(),
                ns => format!(",{ns}"),
            };
            format!(
                r#"["{}","{}","{}"{allocator}]"#,
                piece.phase.name(),
                piece.start.saturating_add_signed(skew_ns),
                piece.end.saturating_add_signed(skew_ns)
            )
        })
        .collect();
    pieces.join(",")
}
