use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    Covered,
    Busy,
    Queue,
    Idle,
    /// The task was running, though not yet in this span.
    Elsewhere,
    Scheduling,
    /// Claimed and then given to nobody, as when several spans were resumed at once.
    Dropped,
}

/// The ledger's rules once more, tick by tick: every tick has one state, kept in a list.
#[derive(Default)]
struct Model {
    ticks: Vec<Tick>,
    entered: u32,
    children: u32,
    queues: u32,
    gap: std::ops::Range<usize>,
}

impl Model {
    fn run_to(&mut self, now: u64) {
        let state = match (self.children, self.entered, self.queues) {
            (0, 0, 0) => Tick::Idle,
            (0, 0, _) => Tick::Queue,
            (0, _, _) => Tick::Busy,
            _ => Tick::Covered,
        };
        self.ticks.resize(now as usize, state);
    }

    fn enter(&mut self, before: u64, begun: u64, now: u64) {
        if self.entered == 0 {
            let until = begun.clamp(before, now) as usize;
            let from = if self.children == 0 { before as usize } else { until };
            self.gap = from..until;
            for tick in &mut self.ticks[until..] {
                if matches!(tick, Tick::Idle | Tick::Queue) {
                    *tick = Tick::Elsewhere;
                }
            }
        }
        self.entered += 1;
    }

    fn claim(&mut self, woken: u64, becomes: Option<Tick>) -> u64 {
        if woken == 0 {
            return 0;
        }
        let from = self.gap.start.max(woken as usize).min(self.gap.end);
        let mut claimed = 0;
        for tick in &mut self.ticks[from..self.gap.end] {
            if matches!(tick, Tick::Idle | Tick::Queue) {
                claimed += 1;
                *tick = becomes.unwrap_or(*tick);
            }
        }
        claimed
    }

    fn count(&self, wanted: Tick) -> u64 {
        self.ticks.iter().filter(|tick| **tick == wanted).count() as u64
    }
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

fn step(random: &mut Random, (before, now): (u64, u64), ledger: &Ledger, model: &mut Model) {
    match random.below(7) {
        0..=2 => {
            let woken = random.below(now + 1);
            let fate = [Some(Tick::Scheduling), Some(Tick::Dropped), None][random.below(3) as usize];
            let begun = random.below(now + 3);
            let claim = ledger.enter(
                now,
                Some(Polled {
                    woken: Woken { at: woken, due: woken },
                    begun,
                }),
            );
            model.enter(before, begun, now);
            assert_eq!(
                claim.scheduling,
                model.claim(woken, fate),
                "claim of a wake-up at {woken}, entered at {now}"
            );
            match fate {
                Some(Tick::Scheduling) => ledger.book_claim(claim),
                Some(_) => {}
                None => ledger.unclaim(claim),
            }
        }
        3 | 4 if model.entered > 0 => {
            ledger.exit(now);
            model.entered -= 1;
        }
        5 if model.children > 0 => {
            ledger.child_closed(now);
            model.children -= 1;
        }
        5 => {
            ledger.child_opened(now);
            model.children += 1;
        }
        _ if model.queues > 0 => {
            ledger.queue_left(now);
            model.queues -= 1;
        }
        _ => {
            ledger.queue_entered(now);
            model.queues += 1;
        }
    }
}

#[test]
fn every_nanosecond_is_booked_at_most_once_whatever_happens_in_which_order() {
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let ledger = Ledger::new(0);
        let mut model = Model::default();
        ledger.enter(
            0,
            Some(Polled {
                woken: Woken::default(),
                begun: 0,
            }),
        );
        model.enter(0, 0, 0);
        let mut now = 0;
        for _ in 0..60 {
            let before = now;
            now += random.below(6);
            model.run_to(now);
            step(&mut random, (before, now), &ledger, &mut model);
        }
        let times = ledger.times(false).unwrap();
        let booked = (times.processing_ns, times.queue_wait_ns, times.scheduling_ns);
        let expected = (
            Some(model.count(Tick::Busy)),
            Some(model.count(Tick::Queue)),
            Some(model.count(Tick::Scheduling)),
        );
        assert_eq!(booked, expected, "seed {seed}");
        assert_eq!(ledger.book().idle, model.count(Tick::Idle), "seed {seed}");
        let self_time = now - model.count(Tick::Covered);
        let sum = times.processing_ns.unwrap() + times.queue_wait_ns.unwrap() + times.scheduling_ns.unwrap();
        assert!(sum <= self_time, "seed {seed}: {sum} of {self_time}");
    }
}

#[test]
fn a_span_that_never_ran_says_nothing() {
    let ledger = Ledger::new(1);
    ledger.child_opened(5);
    ledger.child_closed(9);
    assert_eq!(ledger.times(true), None);
}

#[test]
fn outside_observed_futures_only_running_time_is_known() {
    let ledger = Ledger::new(1);
    ledger.enter(11, None);
    ledger.exit(41);
    let times = ledger.times(false).unwrap();
    assert_eq!(times.processing_ns, Some(30));
    assert_eq!(
        (times.scheduling_ns, times.queue_wait_ns, times.allocator_ns),
        (None, None, None)
    );
}

#[test]
fn a_moment_older_than_the_last_one_moves_nothing_back() {
    let ledger = Ledger::new(100);
    ledger.enter(90, None);
    ledger.exit(80);
    ledger.enter(120, None);
    ledger.exit(110);
    ledger.exit(130);
    assert_eq!(ledger.times(false).unwrap().processing_ns, Some(0));
}

#[test]
fn allocator_time_is_part_of_the_running_time_and_never_more() {
    let ledger = Ledger::new(1);
    ledger.enter(1, None);
    ledger.book_allocator(30);
    ledger.exit(101);
    let times = ledger.times(true).unwrap();
    assert_eq!((times.allocator_ns, times.processing_ns), (Some(30), Some(70)));

    ledger.enter(101, None);
    ledger.book_allocator(1_000);
    ledger.exit(102);
    let times = ledger.times(true).unwrap();
    assert_eq!((times.allocator_ns, times.processing_ns), (Some(101), Some(0)));
}

#[test]
fn allocations_while_a_child_is_open_are_the_childs() {
    let ledger = Ledger::new(1);
    ledger.enter(1, None);
    ledger.child_opened(2);
    ledger.book_allocator(7);
    ledger.child_closed(20);
    ledger.exit(21);
    assert_eq!(ledger.times(true).unwrap().allocator_ns, Some(0));
}

#[test]
fn a_ledger_is_as_small_as_the_readme_says() {
    let counts_of_the_arc = 2 * size_of::<usize>();
    assert!(size_of::<Ledger>() + counts_of_the_arc <= 144);
}
