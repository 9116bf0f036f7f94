use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;

use super::*;

#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn task() -> (Arc<Task>, Waker) {
    let task = Arc::new(Task::default());
    (Arc::clone(&task), Waker::from(Arc::clone(&task)))
}

#[test]
fn the_first_wake_up_since_the_poll_counts_and_every_one_reaches_the_task() {
    let (task, waker) = task();
    let noting = NotingWaker::new(&waker);
    assert_eq!(noting.note.take().at, 0);
    noting.waker.wake_by_ref();
    let first = noting.note.woken.load(Ordering::Relaxed);
    std::thread::sleep(std::time::Duration::from_millis(1));
    let clone = noting.waker.clone();
    clone.wake();
    std::thread::spawn({
        let waker = noting.waker.clone();
        move || waker.wake()
    })
    .join()
    .unwrap();
    assert!(first > 0);
    assert_eq!(noting.note.take().at, first);
    assert_eq!(noting.note.take().at, 0);
    assert_eq!(task.0.load(Ordering::SeqCst), 3);
}

#[test]
fn dropping_wakers_wakes_nobody_and_leaks_nothing() {
    let (task, waker) = task();
    let noting = NotingWaker::new(&waker);
    let clones: Vec<_> = (0..10).map(|_| noting.waker.clone()).collect();
    drop(clones);
    let last = noting.waker.clone();
    drop(noting);
    last.wake();
    drop(waker);
    assert_eq!(task.0.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn a_wake_up_during_a_poll_asks_for_the_next_one() {
    let (_, waker) = task();
    let mut polls = 0;
    let mut observed = pin!(Observed::new(
        poll_fn(move |context| {
            polls += 1;
            if polls == 1 {
                context.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        }),
        Woken::default()
    ));
    let mut context = Context::from_waker(&waker);
    let noted = |observed: Pin<&mut Observed<_>>| {
        let waker = observed.project().waker.as_ref().unwrap();
        waker.note.woken.load(Ordering::Relaxed)
    };
    assert!(observed.as_mut().poll(&mut context).is_pending());
    assert!(noted(observed.as_mut()) > 0);
    assert!(observed.as_mut().poll(&mut context).is_pending());
    assert_eq!(noted(observed.as_mut()), 0);
}

#[test]
fn futures_inside_see_one_waker_until_the_future_moves_to_another_task() {
    let (first, first_waker) = task();
    let (second, second_waker) = task();
    let mut seen: Vec<Waker> = Vec::new();
    {
        let mut observed = pin!(Observed::new(
            poll_fn(|context| {
                seen.push(context.waker().clone());
                Poll::<()>::Pending
            }),
            Woken::default()
        ));
        for waker in [&first_waker, &first_waker, &second_waker] {
            assert!(observed.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    }
    assert!(seen[0].will_wake(&seen[1]));
    assert!(!seen[1].will_wake(&seen[2]));
    seen[2].wake_by_ref();
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
    assert_eq!(second.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_wake_up_of_the_old_task_is_not_lost_when_the_future_moves() {
    let (_, first_waker) = task();
    let (_, second_waker) = task();
    let woken_at_poll = std::cell::RefCell::new(Vec::new());
    let mut observed = pin!(Observed::new(
        poll_fn(|_| {
            woken_at_poll.borrow_mut().push(crate::thread::woken_of_this_turn());
            Poll::<()>::Pending
        }),
        Woken::default()
    ));
    assert!(
        observed
            .as_mut()
            .poll(&mut Context::from_waker(&first_waker))
            .is_pending()
    );
    let waker = observed.as_mut().project().waker.as_ref().unwrap().waker.clone();
    waker.wake();
    assert!(
        observed
            .as_mut()
            .poll(&mut Context::from_waker(&second_waker))
            .is_pending()
    );
    let woken = woken_at_poll.borrow();
    assert_eq!(woken[0], Some(0));
    assert!(woken[1] > Some(0));
}

#[test]
fn a_panic_in_a_poll_leaves_the_thread_as_it_was() {
    let (_, waker) = task();
    let panicked = std::panic::catch_unwind(|| {
        let mut observed = pin!(Observed::new(
            poll_fn(|_| -> Poll<()> { std::panic::resume_unwind(Box::new("told to")) }),
            Woken::default()
        ));
        let _ = observed.as_mut().poll(&mut Context::from_waker(&waker));
    });
    assert!(panicked.is_err());
    assert_eq!(crate::thread::woken_of_this_turn(), None);
}
