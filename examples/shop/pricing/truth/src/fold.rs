use crate::record::{FarSide, Timeline, Wait, Waiting};

/// A far side's answer counts as there this long after it was given, so that a healthy local round trip is not
/// taken for lateness.
const ANSWER_ALLOWANCE_NS: u64 = 100_000;
/// A request that took longer than this to reach the far side was late in being sent. High enough for connecting first.
const SEND_LATE_NS: u64 = 5_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    QueueWait,
    Scheduling,
    Processing,
    Downstream,
    Unattributed,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueWait => "queue_wait",
            Self::Scheduling => "scheduling",
            Self::Processing => "processing",
            Self::Downstream => "downstream",
            Self::Unattributed => "unattributed",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SelfTime {
    pub queue_wait: u64,
    pub scheduling: u64,
    pub allocator: u64,
    pub processing: u64,
    pub downstream: u64,
    pub unattributed: u64,
}

/// A stretch of the span's own time. Allocator time cannot be placed inside a run; the run carries its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub phase: Phase,
    pub start: u64,
    pub end: u64,
    pub allocator_ns: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanTimes {
    pub start: u64,
    pub end: u64,
    pub is_call: bool,
}

/// The phases of a span's own time. Their sum is exactly that time.
pub(crate) fn fold(timeline: &Timeline, span: SpanTimes) -> (SelfTime, Vec<Placed>) {
    let stretches = stretches_of(timeline);
    let mut placed = Vec::new();
    for (start, end) in own_intervals(&timeline.children, span) {
        cut(&stretches, (start, end), &mut placed);
    }
    if span.is_call {
        for piece in &mut placed {
            if piece.phase != Phase::Scheduling {
                piece.phase = Phase::Downstream;
                piece.allocator_ns = 0;
            }
        }
    }
    (sum(&placed), join_neighbours(placed))
}

fn stretches_of(timeline: &Timeline) -> Vec<Placed> {
    let mut stretches: Vec<Placed> = timeline
        .runs
        .iter()
        .map(|run| Placed {
            phase: Phase::Processing,
            start: run.start,
            end: run.end,
            allocator_ns: run.allocator_ns.min(run.end.saturating_sub(run.start)),
        })
        .collect();
    for wait in &timeline.waits {
        split_wait(wait, timeline.far, &mut stretches);
    }
    stretches.sort_by_key(|stretch| (stretch.start, stretch.end));
    stretches
}

fn split_wait(wait: &Wait, far: FarSide, stretches: &mut Vec<Placed>) {
    let sent = match far.received {
        Some(received) if received <= wait.end && received > wait.start + SEND_LATE_NS => {
            received - ANSWER_ALLOWANCE_NS
        }
        _ => wait.start,
    };
    let answered = far
        .answered
        .map(|answered| answered + ANSWER_ALLOWANCE_NS)
        .filter(|answered| *answered > wait.start)
        .unwrap_or(wait.ready);
    let ready = wait.ready.min(answered).max(sent);
    let phase = match wait.waiting {
        Waiting::Queue => Phase::QueueWait,
        Waiting::Unsaid => Phase::Unattributed,
    };
    let pieces = [
        (Phase::Scheduling, wait.start, sent),
        (phase, sent, ready),
        (Phase::Scheduling, ready, wait.end),
    ];
    for (phase, start, end) in pieces {
        if end > start {
            stretches.push(Placed {
                phase,
                start,
                end,
                allocator_ns: 0,
            });
        }
    }
}

/// The span's interval minus the union of its children, each clipped to it.
fn own_intervals(children: &[(u64, u64)], span: SpanTimes) -> Vec<(u64, u64)> {
    let mut children = children.to_vec();
    children.sort_unstable();
    let mut own = Vec::new();
    let mut cursor = span.start;
    for (start, end) in children {
        if start.min(span.end) > cursor {
            own.push((cursor, start.min(span.end)));
        }
        cursor = cursor.max(end);
    }
    if span.end > cursor {
        own.push((cursor, span.end));
    }
    own
}

/// Lays the stretches over one interval. What none of them covers is code around the span's own polls, on its
/// own thread: processing.
fn cut(stretches: &[Placed], (start, end): (u64, u64), placed: &mut Vec<Placed>) {
    let mut cursor = start;
    for stretch in stretches {
        if stretch.start >= end {
            break;
        }
        let from = stretch.start.max(cursor);
        let to = stretch.end.min(end);
        if to <= from {
            continue;
        }
        if from > cursor {
            placed.push(uncovered(cursor, from));
        }
        placed.push(Placed {
            phase: stretch.phase,
            start: from,
            end: to,
            allocator_ns: share(stretch, to - from),
        });
        cursor = to;
    }
    if end > cursor {
        placed.push(uncovered(cursor, end));
    }
}

fn uncovered(start: u64, end: u64) -> Placed {
    Placed {
        phase: Phase::Processing,
        start,
        end,
        allocator_ns: 0,
    }
}

fn share(stretch: &Placed, part: u64) -> u64 {
    let whole = u128::from(stretch.end - stretch.start).max(1);
    (u128::from(stretch.allocator_ns) * u128::from(part) / whole) as u64
}

fn sum(placed: &[Placed]) -> SelfTime {
    let mut total = SelfTime::default();
    for piece in placed {
        let length = piece.end - piece.start;
        match piece.phase {
            Phase::QueueWait => total.queue_wait += length,
            Phase::Scheduling => total.scheduling += length,
            Phase::Downstream => total.downstream += length,
            Phase::Unattributed => total.unattributed += length,
            Phase::Processing => {
                total.allocator += piece.allocator_ns;
                total.processing += length - piece.allocator_ns;
            }
        }
    }
    total
}

fn join_neighbours(placed: Vec<Placed>) -> Vec<Placed> {
    let mut joined: Vec<Placed> = Vec::with_capacity(placed.len());
    for piece in placed {
        match joined.last_mut() {
            Some(last) if last.phase == piece.phase && last.end == piece.start => {
                last.end = piece.end;
                last.allocator_ns += piece.allocator_ns;
            }
            _ => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Run;

    const SPAN: SpanTimes = SpanTimes {
        start: 1_000,
        end: 2_000,
        is_call: false,
    };

    fn total(time: &SelfTime) -> u64 {
        time.queue_wait
            + time.scheduling
            + time.allocator
            + time.processing
            + time.downstream
            + time.unattributed
    }

    fn run(start: u64, end: u64, allocator_ns: u64) -> Run {
        Run {
            start,
            end,
            allocator_ns,
        }
    }

    #[test]
    fn a_wait_is_split_where_the_task_was_woken() {
        let timeline = Timeline {
            runs: vec![run(1_000, 1_100, 30), run(1_700, 2_000, 0)],
            waits: vec![Wait {
                start: 1_100,
                end: 1_700,
                ready: 1_600,
                waiting: Waiting::Queue,
            }],
            ..Timeline::default()
        };
        let (time, placed) = fold(&timeline, SPAN);
        assert_eq!(
            time,
            SelfTime {
                queue_wait: 500,
                scheduling: 100,
                allocator: 30,
                processing: 370,
                ..SelfTime::default()
            }
        );
        assert_eq!(placed.len(), 4);
    }

    #[test]
    fn children_are_taken_out_once_though_they_overlap_and_outlive_the_span() {
        let timeline = Timeline {
            runs: vec![run(1_000, 2_000, 100)],
            children: vec![
                (1_500, 1_700),
                (1_200, 1_600),
                (1_900, 5_000),
                (1_300, 1_400),
            ],
            ..Timeline::default()
        };
        let (time, _) = fold(&timeline, SPAN);
        assert_eq!(total(&time), 400);
        assert_eq!(time.allocator, 40);
    }

    #[test]
    fn a_call_is_downstream_but_for_the_lateness_of_its_own_task() {
        let timeline = Timeline {
            runs: vec![run(1_000, 1_100, 50), run(1_900, 2_000, 0)],
            waits: vec![Wait {
                start: 1_100,
                end: 1_900,
                ready: 1_800,
                waiting: Waiting::Unsaid,
            }],
            ..Timeline::default()
        };
        let call = SpanTimes {
            is_call: true,
            ..SPAN
        };
        let (time, _) = fold(&timeline, call);
        assert_eq!((time.downstream, time.scheduling), (900, 100));
        assert_eq!(total(&time), 1_000);
    }

    #[test]
    fn an_answer_that_the_stalled_runtime_did_not_see_is_scheduling() {
        let timeline = Timeline {
            waits: vec![Wait {
                start: 0,
                end: 50_000_000,
                ready: 49_999_000,
                waiting: Waiting::Unsaid,
            }],
            far: FarSide {
                received: Some(200_000),
                answered: Some(2_000_000),
            },
            ..Timeline::default()
        };
        let call = SpanTimes {
            start: 0,
            end: 50_000_000,
            is_call: true,
        };
        let (time, _) = fold(&timeline, call);
        assert_eq!(time.downstream, 2_000_000 + ANSWER_ALLOWANCE_NS);
        assert_eq!(total(&time), 50_000_000);
    }

    /// Random timelines, good and absurd: the phases of a span always add up to its own time.
    #[test]
    fn phases_add_up_whatever_the_timeline() {
        let mut seed = 0x5eed_u64;
        let mut next = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for case in 0..5_000 {
            let mut timeline = Timeline::default();
            for _ in 0..next(12) {
                let start = 800 + next(1_400);
                timeline.runs.push(run(start, start + next(300), next(400)));
            }
            for _ in 0..next(12) {
                let start = 800 + next(1_400);
                let length = next(300);
                timeline.add_wait(Wait {
                    start,
                    end: start + length,
                    ready: start + next(length + 1),
                    waiting: Waiting::Queue,
                });
            }
            for _ in 0..next(5) {
                let start = 800 + next(1_400);
                timeline.children.push((start, start + next(500)));
            }
            let span = SpanTimes {
                is_call: next(2) == 0,
                ..SPAN
            };
            let own: u64 = own_intervals(&timeline.children, span)
                .iter()
                .map(|(start, end)| end - start)
                .sum();
            let (time, placed) = fold(&timeline, span);
            assert_eq!(total(&time), own, "case {case}");
            let lengths: u64 = placed.iter().map(|piece| piece.end - piece.start).sum();
            assert_eq!(lengths, own, "case {case}");
        }
    }
}
