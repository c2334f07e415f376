//! What is over the limits is forgotten: the oldest first, visibly, and with nothing else.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use event_log::memory::MemoryStore;
use event_log::sqlite::{Options, SqliteStore};
use event_log::{
    Append, Bounds, Config, Driver, End, Log, Offset, Resync, Retention, Store, StoreError,
    SubscribeError,
};
use support::{FlakyStore, Frame, STREAM, Socket, duplicate, epoch, fill, frame, fresh, nth, open};

fn config(retention: Retention) -> Config {
    Config {
        ring_rows: 2,
        replay_page: 3,
        retention,
        ..Config::default()
    }
}

fn rows(rows: u64) -> Retention {
    Retention {
        rows: Some(rows),
        ..Retention::default()
    }
}

fn bounds(first: u64, last: u64) -> Bounds {
    Bounds {
        first: Offset(first),
        last: Offset(last),
    }
}

fn driven<S: Store>(store: S, retention: Retention) -> (Log<Frame>, Driver<S, Frame>) {
    Log::driven(store, config(retention), frame).unwrap()
}

/// Stores an event and returns the answer.
fn store<S: Store>(
    log: &Log<Frame>,
    driver: &mut Driver<S, Frame>,
    append: Append,
) -> Result<event_log::Appended, event_log::AppendError> {
    let receipt = log.submit(append).unwrap();
    driver.settle();
    answer_of(receipt)
}

/// The answer that is there already.
fn answer_of<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("no answer yet"),
    }
}

#[test]
fn what_the_store_could_not_forget_is_forgotten_with_the_next_look() {
    for retention in [
        rows(2),
        Retention {
            bytes: Some(2 * WEIGHT),
            ..Retention::default()
        },
    ] {
        let memory = MemoryStore::new(epoch(1));
        let flaky = FlakyStore::new(memory.clone());
        let (log, mut driver) = driven(flaky.clone(), retention);
        for number in 1..=3 {
            store(&log, &mut driver, nth(number)).unwrap();
        }
        let stored = || memory.reader().streams().unwrap()[0].1;
        let busy = [StoreError::Busy, StoreError::Busy];
        flaky.plan.trim_errors.lock().unwrap().extend(busy);
        for _ in 0..2 {
            assert!(!driver.forget(0));
            assert_eq!((log.bounds(STREAM), stored()), (bounds(2, 3), bounds(1, 3)));
        }
        driver.forget(0);
        assert_eq!((log.bounds(STREAM), stored()), (bounds(2, 3), bounds(2, 3)));
    }
}

#[test]
fn what_was_forgotten_by_hand_does_not_count_towards_the_bytes() {
    let retention = Retention {
        bytes: Some(4 * WEIGHT),
        ..Retention::default()
    };
    let (log, mut driver) = filled(retention, 4);
    let mut trimmed = Box::pin(log.trim(STREAM, Offset(3)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(trimmed.as_mut().poll(&mut cx).is_pending());
    driver.settle();
    assert_eq!(answer_of(trimmed), Ok(()));
    for number in 5..=6 {
        store(&log, &mut driver, nth(number)).unwrap();
    }
    driver.forget(0);
    assert_eq!(log.bounds(STREAM), bounds(3, 6));
    store(&log, &mut driver, nth(7)).unwrap();
    driver.forget(0);
    assert_eq!(log.bounds(STREAM), bounds(4, 7));
}

/// What each of the first nine events weighs.
const WEIGHT: u64 = ("ann".len() + "1".len() + "content 1".len()) as u64;

/// A log with so many events.
fn filled(retention: Retention, events: u64) -> (Log<Frame>, Driver<MemoryStore, Frame>) {
    let (log, mut driver) = driven(MemoryStore::new(epoch(1)), retention);
    for number in 1..=events {
        let append = Append {
            at: i64::try_from(number).unwrap() * 1_000,
            ..nth(number)
        };
        store(&log, &mut driver, append).unwrap();
    }
    (log, driver)
}

#[test]
fn by_default_nothing_is_forgotten() {
    let (log, mut driver) = filled(Retention::default(), 20);
    assert!(!driver.forget(i64::MAX));
    assert_eq!(log.bounds(STREAM), bounds(1, 20));
}

#[test]
fn the_newest_events_are_kept_by_number() {
    let (log, mut driver) = filled(rows(5), 20);
    while driver.forget(0) {}
    assert_eq!(log.bounds(STREAM), bounds(16, 20));
    assert_eq!(log.stats().forgotten, 15);
    assert_eq!(store(&log, &mut driver, nth(21)), fresh(21));
}

#[test]
fn the_newest_events_are_kept_by_bytes() {
    // Each weighs 3 for the author, and 2 and 10 for a number of two digits.
    let retention = Retention {
        bytes: Some(50),
        ..Retention::default()
    };
    let (log, mut driver) = filled(retention, 20);
    while driver.forget(0) {}
    assert_eq!(log.bounds(STREAM), bounds(18, 20));
    store(&log, &mut driver, nth(21)).unwrap();
    while driver.forget(0) {}
    assert_eq!(log.bounds(STREAM), bounds(19, 21));
}

#[test]
fn events_are_kept_until_they_are_too_old() {
    let retention = Retention {
        age: Some(Duration::from_secs(10)),
        ..Retention::default()
    };
    let (log, mut driver) = filled(retention, 20);
    while driver.forget(12_000) {}
    assert_eq!(log.bounds(STREAM), bounds(2, 20));
    while driver.forget(1_000_000) {}
    assert_eq!(log.bounds(STREAM), bounds(21, 20));
    assert_eq!(store(&log, &mut driver, nth(21)), fresh(21));
}

/// A log that keeps events for ten seconds, with so many of the future and then these.
fn behind_the_future(future: u64, times: &[i64]) -> (Log<Frame>, Driver<MemoryStore, Frame>) {
    let retention = Retention {
        age: Some(Duration::from_secs(10)),
        ..Retention::default()
    };
    let mut memory = MemoryStore::new(epoch(1));
    let times = (0..future).map(|_| FUTURE).chain(times.iter().copied());
    let appends = (1..)
        .zip(times)
        .map(|(number, at)| Append { at, ..nth(number) });
    memory.append(&appends.collect::<Vec<_>>()).unwrap();
    driven(memory, retention)
}

const FUTURE: i64 = 1_000_000;

#[test]
fn what_is_too_old_goes_from_behind_any_number_of_the_future() {
    for future in [255, 256, 257, 512, 1_000] {
        let times = [1_000, FUTURE, 2_000, 19_000, 1_000];
        let (log, mut driver) = behind_the_future(future, &times);
        let last = future + 5;
        let mut before = 1;
        while driver.forget(20_000) {
            let first = log.bounds(STREAM).first.0;
            assert!(first - before <= 256, "more than a piece");
            before = first;
        }
        assert_eq!(log.bounds(STREAM), bounds(future + 4, last));
        assert_eq!(log.stats().forgotten, future + 3);
        while driver.forget(29_001) {}
        assert_eq!(log.bounds(STREAM), bounds(last + 1, last));
    }
}

#[test]
fn what_was_of_the_future_keeps_what_is_behind_it_when_its_time_has_come() {
    // Four whole pieces.
    let (log, mut driver) = behind_the_future(1_024, &[15_000]);
    while driver.forget(20_000) {}
    assert_eq!(log.bounds(STREAM), bounds(1, 1_025));
    while driver.forget(FUTURE) {}
    assert_eq!(log.bounds(STREAM), bounds(1, 1_025));
    while driver.forget(FUTURE + 10_001) {}
    assert_eq!(log.bounds(STREAM), bounds(1_026, 1_025));
}

#[test]
fn what_becomes_too_old_behind_the_future_goes_then() {
    let (log, mut driver) = behind_the_future(1_000, &[15_000]);
    while driver.forget(20_000) {}
    let append = Append {
        at: 21_000,
        ..nth(1_002)
    };
    assert_eq!(store(&log, &mut driver, append), fresh(1_002));
    while driver.forget(25_000) {}
    assert_eq!(log.bounds(STREAM), bounds(1, 1_002));
    while driver.forget(25_001) {}
    assert_eq!(log.bounds(STREAM), bounds(1_002, 1_002));
}

#[test]
fn a_long_history_is_forgotten_in_pieces() {
    let (log, mut driver) = filled(rows(10), 600);
    assert!(driver.forget(0));
    assert_eq!(log.bounds(STREAM), bounds(257, 600));
    assert!(driver.forget(0));
    assert!(!driver.forget(0));
    assert_eq!(log.bounds(STREAM), bounds(591, 600));
}

#[test]
fn a_retry_finds_what_is_kept_and_nothing_else() {
    let (log, mut driver) = filled(rows(5), 20);
    while driver.forget(0) {}
    assert_eq!(store(&log, &mut driver, nth(16)), duplicate(16));
    assert_eq!(store(&log, &mut driver, nth(15)), fresh(21));
}

#[test]
fn who_begins_before_what_is_kept_has_to_start_anew() {
    let (log, mut driver) = filled(rows(5), 20);
    while driver.forget(0) {}
    let resync = Resync {
        epoch: log.epoch(),
        first: Offset(16),
        last: Offset(20),
    };
    let refused = log.subscribe(STREAM, Offset(14), Socket::new(9)).err();
    assert_eq!(refused, Some(SubscribeError::Resync(resync)));
    let socket = Socket::new(9);
    let _subscription = log.subscribe(STREAM, Offset(15), socket.clone()).unwrap();
    driver.settle();
    assert_eq!(socket.offsets(), [16, 17, 18, 19, 20]);
}

#[test]
fn who_is_overtaken_while_catching_up_is_told() {
    let (log, mut driver) = filled(rows(5), 20);
    let socket = Socket::new(3);
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    driver.settle();
    while driver.forget(0) {}
    // A page that was read before is still given; the next one cannot be.
    for _ in 0..2 {
        socket.read(3);
        driver.settle();
    }
    assert_eq!(socket.offsets(), [1, 2, 3, 4, 5, 6]);
    let resync = Resync {
        epoch: log.epoch(),
        first: Offset(16),
        last: Offset(20),
    };
    assert_eq!(socket.end(), Some(End::Resync(resync)));
}

#[test]
fn what_was_stored_before_the_start_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let open = || SqliteStore::open(&path, Options::default()).unwrap();
    let (log, mut driver) = driven(open(), Retention::default());
    for number in 10..=29 {
        store(&log, &mut driver, nth(number)).unwrap();
    }
    driver.close().unwrap();
    let retention = Retention {
        bytes: Some(50),
        ..Retention::default()
    };
    let (log, mut driver) = driven(open(), retention);
    while driver.forget(0) {}
    assert_eq!(log.bounds(STREAM), bounds(18, 20));
    driver.close().unwrap();
    let (log, driver) = driven(open(), Retention::default());
    assert_eq!(log.bounds(STREAM), bounds(18, 20));
    driver.close().unwrap();
}

#[tokio::test]
async fn a_running_log_forgets_by_itself() {
    let log = open(MemoryStore::new(epoch(1)), config(rows(5)));
    fill(&log, 1..=20).await;
    while log.stats().forgotten < 15 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.bounds(STREAM), bounds(16, 20));
    log.close().await.unwrap();
}

#[tokio::test]
async fn a_log_that_forgets_by_age_is_not_opened_without_the_time_of_its_newest_event() {
    let age = Retention {
        age: Some(Duration::from_secs(10)),
        ..Retention::default()
    };
    for (retention, is_asked) in [(age, true), (rows(5), false)] {
        let mut memory = MemoryStore::new(epoch(1));
        memory.append(&[nth(1)]).unwrap();
        let flaky = FlakyStore::new(memory);
        // The streams and their newest pages are read, whatever is kept.
        *flaky.plan.good_reads.lock().unwrap() = 2;
        let error = StoreError::Unavailable("planned".to_owned());
        let plan = Arc::clone(&flaky.plan);
        plan.read_errors.lock().unwrap().push_back(error.clone());
        let opened = Log::open(flaky, config(retention), frame);
        assert_eq!(opened.err(), is_asked.then_some(error));
        assert_eq!(plan.read_errors.lock().unwrap().is_empty(), is_asked);
    }
}
