//! The log as an application uses it: with its thread, its tasks and a runtime.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_log::memory::MemoryStore;
use event_log::sqlite::{Options, SqliteStore, Synchronous};
use event_log::{
    Append, AppendError, Appended, Bounds, Config, Cursor, End, Epoch, Event, Invalid, Log,
    Offered, Offset, Outcome, PageLimit, Reader, Resync, Room, Sink, Store, StoreError,
    SubscribeError,
};
use support::{Fault, FlakyStore, Frame, STREAM, Socket, append, epoch, frame, nth};
use tokio::sync::oneshot;

fn open(store: impl Store, config: Config) -> Log<Frame> {
    Log::open(store, config, frame).unwrap()
}

/// A log on a store that fails as planned, with a configuration that makes a replay go to the store.
fn flaky() -> (Log<Frame>, FlakyStore<MemoryStore>) {
    let store = FlakyStore::new(MemoryStore::new(epoch(1)));
    let config = Config {
        ring_rows: 1,
        replay_page: 2,
        replay_retry: Duration::ZERO,
        ..Config::default()
    };
    (open(store.clone(), config), store)
}

fn fresh(offset: u64) -> Result<Appended, AppendError> {
    let offset = Offset(offset);
    Ok(Appended {
        offset,
        duplicate: false,
    })
}

fn duplicate(offset: u64) -> Result<Appended, AppendError> {
    let offset = Offset(offset);
    Ok(Appended {
        offset,
        duplicate: true,
    })
}

async fn fill(log: &Log<Frame>, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        log.append(nth(number)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_appended_reaches_old_and_new_subscribers() {
    let (log, _) = flaky();
    let live = Socket::new(100);
    let _live = log.subscribe(STREAM, Offset::ZERO, live.clone()).unwrap();
    for number in 1..=7 {
        assert_eq!(log.append(nth(number)).await, fresh(number));
    }
    let late = Socket::new(100);
    let _late = log.subscribe(STREAM, Offset(2), late.clone()).unwrap();
    live.has_received(7).await;
    late.has_received(5).await;
    assert_eq!(live.offsets(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(late.offsets(), [3, 4, 5, 6, 7]);
    log.append(nth(8)).await.unwrap();
    late.has_received(6).await;
    assert_eq!(late.received()[5], (Offset(8), nth(8).content));
}

#[tokio::test]
async fn streams_do_not_mix() {
    let (log, _) = flaky();
    let socket = Socket::new(100);
    let _subscription = log.subscribe("other", Offset::ZERO, socket.clone());
    log.append(nth(1)).await.unwrap();
    let other = Append {
        stream: "other".to_owned(),
        ..nth(1)
    };
    assert_eq!(log.append(other).await, fresh(1));
    socket.has_received(1).await;
    assert_eq!(log.tail(STREAM), Offset(1));
    assert_eq!(log.bounds("nobody"), Bounds::EMPTY);
}

#[tokio::test]
async fn a_retry_gets_the_same_offset_and_other_content_a_conflict() {
    let (log, _) = flaky();
    assert_eq!(log.append(append("ann", "1", "x")).await, fresh(1));
    assert_eq!(log.append(append("ann", "1", "x")).await, duplicate(1));
    assert_eq!(
        log.append(append("ann", "1", "y")).await,
        Err(AppendError::Conflict)
    );
    assert_eq!(log.append(append("bob", "1", "y")).await, fresh(2));
    let stats = log.stats();
    assert_eq!(
        (stats.rows, stats.commits, stats.duplicates, stats.conflicts),
        (2, 2, 1, 1)
    );
}

#[tokio::test]
async fn what_breaks_a_limit_is_invalid() {
    let config = Config {
        max_streams: 1,
        max_name_bytes: 4,
        max_content_bytes: 3,
        ..Config::default()
    };
    let log = open(MemoryStore::new(epoch(1)), config);
    let append = |stream: &str, author: &str, key: &str, content: &str| Append {
        stream: stream.to_owned(),
        ..append(author, key, content)
    };
    let cases = [
        (append("", "ann", "1", "x"), Err(Invalid::Stream)),
        (append("abcde", "ann", "1", "x"), Err(Invalid::Stream)),
        (append("abcd", "annie", "1", "x"), Err(Invalid::Author)),
        (append("abcd", "ann", "", "x"), Err(Invalid::Key)),
        (append("abcd", "ann", "12345", "x"), Err(Invalid::Key)),
        (append("abcd", "ann", "1", "xxxx"), Err(Invalid::Content)),
        (append("abcd", "", "1234", "xxx"), Ok(())),
        (append("b", "ann", "1", "x"), Err(Invalid::TooManyStreams)),
    ];
    for (append, expected) in cases {
        let result = log.append(append.clone()).await.map(drop);
        assert_eq!(result, expected.map_err(AppendError::Invalid), "{append:?}");
    }
    let refused = log.subscribe("b", Offset::ZERO, Socket::new(1));
    assert_eq!(refused.err(), Some(SubscribeError::NoSuchStream));
}

#[tokio::test]
async fn an_accepted_append_is_stored_though_nobody_waits() {
    let (log, _) = flaky();
    drop(log.submit(nth(1)).unwrap());
    assert_eq!(log.append(nth(2)).await, fresh(2));
    assert_eq!(log.append(nth(1)).await, duplicate(1));
}

#[tokio::test]
async fn each_fault_is_reported_and_the_writer_goes_on() {
    for fault in Fault::ALL {
        let (log, store) = flaky();
        let socket = Socket::new(100);
        let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
        log.append(nth(1)).await.unwrap();
        store.plan.faults.lock().unwrap().push_back(fault);
        let expected = match fault {
            Fault::Busy => AppendError::Busy,
            _ => AppendError::Unavailable,
        };
        assert_eq!(log.append(nth(2)).await, Err(expected), "{fault:?}");
        let retried = log.append(nth(2)).await.unwrap();
        assert_eq!(retried.offset, Offset(2), "{fault:?}");
        assert_eq!(retried.duplicate, fault.stores(), "{fault:?}");
        assert_eq!(log.append(nth(3)).await, fresh(3), "{fault:?}");
        socket.has_received(3).await;
        assert_eq!(socket.offsets(), [1, 2, 3], "{fault:?}");
    }
}

#[tokio::test]
async fn a_row_stored_against_all_appearance_is_delivered_without_another_append() {
    for fault in [Fault::After, Fault::PanicAfter] {
        let (log, store) = flaky();
        let socket = Socket::new(100);
        let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
        store.plan.faults.lock().unwrap().push_back(fault);
        assert_eq!(log.append(nth(1)).await, Err(AppendError::Unavailable));
        socket.has_received(1).await;
    }
}

#[tokio::test]
async fn an_encoder_that_panics_acknowledges_nothing() {
    let store = MemoryStore::new(epoch(1));
    let log = Log::open(store.clone(), Config::default(), |event| {
        if event.key == "2" {
            // Unwinds as a panic does, without printing one.
            std::panic::resume_unwind(Box::new("planned"));
        }
        frame(event)
    });
    let log = log.unwrap();
    assert_eq!(log.append(nth(1)).await, fresh(1));
    assert_eq!(log.append(nth(2)).await, Err(AppendError::Unavailable));
    assert_eq!(log.append(nth(2)).await, Err(AppendError::Unavailable));
    assert_eq!(log.append(nth(3)).await, Err(AppendError::Unavailable));
    assert_eq!(log.tail(STREAM), Offset(1));
}

/// A store whose transactions wait for the test.
struct GatedStore {
    inner: MemoryStore,
    entered: mpsc::Sender<usize>,
    gate: mpsc::Receiver<()>,
}

impl GatedStore {
    fn new() -> (Self, mpsc::Receiver<usize>, mpsc::Sender<()>) {
        let (entered, has_entered) = mpsc::channel();
        let (open, gate) = mpsc::channel();
        let inner = MemoryStore::new(epoch(1));
        let store = Self {
            inner,
            entered,
            gate,
        };
        (store, has_entered, open)
    }
}

impl Store for GatedStore {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        self.entered.send(batch.len()).unwrap();
        self.gate.recv().unwrap();
        self.inner.append(batch)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        self.inner.trim(stream, first)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }

    fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_the_rest_is_one_batch() {
    let (store, entered, gate) = GatedStore::new();
    let config = Config {
        write_queue: 3,
        ..Config::default()
    };
    let log = open(store, config);
    let first = log.submit(nth(1)).unwrap();
    assert_eq!(entered.recv(), Ok(1));
    let waiting: Vec<_> = (2..=4)
        .map(|number| log.submit(nth(number)).unwrap())
        .collect();
    assert_eq!(log.submit(nth(5)).err(), Some(AppendError::Busy));
    assert_eq!((log.stats().queued, log.stats().busy), (3, 1));
    gate.send(()).unwrap();
    assert_eq!(first.await, fresh(1));
    assert_eq!(entered.recv(), Ok(3));
    gate.send(()).unwrap();
    for (receipt, offset) in waiting.into_iter().zip(2..) {
        assert_eq!(receipt.await, fresh(offset));
    }
    assert_eq!((log.stats().rows, log.stats().commits), (4, 2));
}

#[tokio::test]
async fn a_busy_store_answers_those_who_queued_up_behind_it_too() {
    let (gated, entered, gate) = GatedStore::new();
    let store = FlakyStore::new(gated);
    let plan = Arc::clone(&store.plan);
    let config = Config {
        batch_rows: 3,
        ..Config::default()
    };
    let log = open(store, config);
    let first = log.submit(nth(1)).unwrap();
    entered.recv().unwrap();
    plan.faults.lock().unwrap().push_back(Fault::Busy);
    let waiting: Vec<_> = (2..=9)
        .map(|number| log.submit(nth(number)).unwrap())
        .collect();
    gate.send(()).unwrap();
    assert_eq!(first.await, fresh(1));
    for receipt in waiting {
        assert_eq!(receipt.await, Err(AppendError::Busy));
    }
    assert_eq!(log.stats().queued, 0);
}

#[tokio::test]
async fn a_slow_socket_holds_up_nobody_and_misses_nothing() {
    let (log, _) = flaky();
    let (slow, fast) = (Socket::new(1), Socket::new(100));
    let _slow = log.subscribe(STREAM, Offset::ZERO, slow.clone()).unwrap();
    let _fast = log.subscribe(STREAM, Offset::ZERO, fast.clone()).unwrap();
    fill(&log, 1..=50).await;
    fast.has_received(50).await;
    assert_eq!(slow.offsets(), [1]);
    for count in 2..=50 {
        slow.read(1);
        slow.has_received(count).await;
    }
    assert_eq!(slow.offsets(), (1..=50).collect::<Vec<_>>());
}

/// A sink without room, which tells when it is dropped.
struct Stuck(#[expect(dead_code, reason = "it is its end that counts")] oneshot::Sender<()>);

impl Sink<Frame> for Stuck {
    fn offer(&self, _: Offset, _: &Frame) -> Offered {
        Offered::Full
    }

    fn room(&self) -> Room<'_> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_dropped_subscription_cancels_its_replay() {
    let (log, _) = flaky();
    fill(&log, 1..=5).await;
    let (sender, dropped) = oneshot::channel();
    let subscription = log.subscribe(STREAM, Offset::ZERO, Stuck(sender)).unwrap();
    assert_eq!(log.stats().catching_up, 1);
    drop(subscription);
    assert!(dropped.await.is_err());
    let stats = log.stats();
    assert_eq!((stats.subscriptions, stats.catching_up), (0, 0));
}

#[tokio::test]
async fn a_dropped_live_subscription_is_gone_at_once() {
    let (log, _) = flaky();
    let (sender, mut dropped) = oneshot::channel();
    drop(log.subscribe(STREAM, Offset::ZERO, Stuck(sender)).unwrap());
    assert_eq!(
        dropped.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    );
    assert_eq!(log.stats().subscriptions, 0);
}

/// A sink that drops a subscription when it is offered something, as a socket does that overflows.
struct Dropper {
    subscription: Arc<Mutex<Option<event_log::Subscription>>>,
    _dropped: oneshot::Sender<()>,
}

impl Dropper {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, dropped) = oneshot::channel();
        let dropper = Self {
            subscription: Arc::default(),
            _dropped: sender,
        };
        (dropper, dropped)
    }
}

impl Sink<Frame> for Dropper {
    fn offer(&self, _: Offset, _: &Frame) -> Offered {
        self.subscription.lock().unwrap().take();
        Offered::Taken
    }

    fn room(&self) -> Room<'_> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_sink_may_drop_its_subscription_in_the_middle_of_a_walk() {
    let (log, _) = flaky();
    let (dropper, dropped) = Dropper::new();
    let own = Arc::clone(&dropper.subscription);
    let subscription = log.subscribe(STREAM, Offset::ZERO, dropper).unwrap();
    *own.lock().unwrap() = Some(subscription);
    log.append(nth(1)).await.unwrap();
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn a_sink_may_drop_the_subscription_of_another_that_was_walked_already() {
    let (log, _) = flaky();
    let (first, first_dropped) = Dropper::new();
    let (second, _) = Dropper::new();
    let of_second = Arc::clone(&second.subscription);
    let first = log.subscribe(STREAM, Offset::ZERO, first).unwrap();
    let _second = log.subscribe(STREAM, Offset::ZERO, second).unwrap();
    *of_second.lock().unwrap() = Some(first);
    log.append(nth(1)).await.unwrap();
    assert!(first_dropped.await.is_err());
}

/// A sink that panics when it is offered something.
struct Panics;

impl Sink<Frame> for Panics {
    fn offer(&self, _: Offset, _: &Frame) -> Offered {
        std::panic::resume_unwind(Box::new("planned"));
    }

    fn room(&self) -> Room<'_> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_sink_that_panics_harms_nobody_else() {
    // With both events in the ring, whoever came first is offered them first.
    let log = open(MemoryStore::new(epoch(1)), Config::default());
    let socket = Socket::new(100);
    let broken = log.subscribe(STREAM, Offset::ZERO, Panics).unwrap();
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    fill(&log, 1..=2).await;
    socket.has_received(2).await;
    assert!(broken.is_over());
}

#[tokio::test]
async fn a_closed_sink_ends_its_subscription() {
    let log = open(MemoryStore::new(epoch(1)), Config::default());
    let (sender, receiver) = tokio::sync::mpsc::channel::<Frame>(9);
    let subscription = log.subscribe(STREAM, Offset::ZERO, sender).unwrap();
    drop(receiver);
    let witness = Socket::new(9);
    let _witness = log
        .subscribe(STREAM, Offset::ZERO, witness.clone())
        .unwrap();
    log.append(nth(1)).await.unwrap();
    witness.has_received(1).await;
    assert!(subscription.is_over());
    assert_eq!(log.stats().subscriptions, 2);
    drop(subscription);
    assert_eq!(log.stats().subscriptions, 1);
}

#[tokio::test]
async fn a_cursor_that_does_not_fit_is_told_so() {
    let (log, _) = flaky();
    fill(&log, 1..=5).await;
    log.trim(STREAM, Offset(3)).await.unwrap();
    let resync = Resync {
        epoch: epoch(1),
        first: Offset(3),
        last: Offset(5),
    };
    let cursor = |epoch, offset| Cursor {
        epoch,
        offset: Offset(offset),
    };
    let same = epoch(1);
    let other = epoch(2);
    let cases = [
        (cursor(Some(same.as_str()), 5), Ok(())),
        (cursor(Some(same.as_str()), 2), Ok(())),
        (cursor(None, 2), Ok(())),
        (cursor(Some(same.as_str()), 1), Err(resync)),
        (cursor(Some(same.as_str()), 6), Err(resync)),
        (cursor(Some(other.as_str()), 5), Err(resync)),
        (cursor(Some(""), 5), Err(resync)),
        (cursor(None, u64::MAX), Err(resync)),
    ];
    for (cursor, expected) in cases {
        assert_eq!(log.check(STREAM, cursor), expected, "{cursor:?}");
        let subscribed = log.subscribe(STREAM, cursor, Socket::new(9)).map(drop);
        assert_eq!(
            subscribed,
            expected.map_err(SubscribeError::Resync),
            "{cursor:?}"
        );
    }
}

#[tokio::test]
async fn a_replay_overtaken_by_a_trim_ends_with_a_resync() {
    let (log, _) = flaky();
    fill(&log, 1..=9).await;
    let socket = Socket::new(1);
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    socket.has_received(1).await;
    log.trim(STREAM, Offset(9)).await.unwrap();
    // What was read before the trim may still come, in order, before the end does.
    let ended = async {
        let mut count = 1;
        loop {
            socket.read(1);
            count += 1;
            socket.has_received(count).await;
        }
    };
    let end = tokio::select! {
        end = socket.has_ended() => end,
        () = ended => unreachable!("it has no end"),
    };
    let bounds = Resync {
        epoch: epoch(1),
        first: Offset(9),
        last: Offset(9),
    };
    assert_eq!(end, End::Resync(bounds));
    let received = socket.offsets();
    assert_eq!(received, (1..=received.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_replay_waits_for_a_store_that_cannot_be_read_and_ends_at_one_that_is_damaged() {
    let (log, store) = flaky();
    fill(&log, 1..=5).await;
    let errors = |errors: &[StoreError]| {
        store
            .plan
            .read_errors
            .lock()
            .unwrap()
            .extend(errors.iter().cloned())
    };
    errors(&[
        StoreError::Busy,
        StoreError::Unavailable("planned".to_owned()),
    ]);
    let socket = Socket::new(100);
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    socket.has_received(5).await;

    errors(&[StoreError::Corrupt("planned".to_owned())]);
    let socket = Socket::new(100);
    let subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    assert_eq!(socket.has_ended().await, End::Unreadable);
    assert!(subscription.is_over());
}

#[tokio::test]
async fn the_newest_events_are_in_memory_from_the_start() {
    let store = FlakyStore::new(MemoryStore::new(epoch(1)));
    let log = open(store.clone(), Config::default());
    fill(&log, 1..=5).await;
    log.close().await.unwrap();

    let config = Config {
        ring_rows: 3,
        ..Config::default()
    };
    let log = open(store.clone(), config);
    assert_eq!(log.tail(STREAM), Offset(5));
    // Whoever asked the store for this would not get it.
    let damaged = StoreError::Corrupt("planned".to_owned());
    store.plan.read_errors.lock().unwrap().push_back(damaged);
    let socket = Socket::new(100);
    let _subscription = log.subscribe(STREAM, Offset(2), socket.clone()).unwrap();
    socket.has_received(3).await;
    assert_eq!(socket.offsets(), [3, 4, 5]);
}

#[tokio::test]
async fn history_is_read_in_pages() {
    let (log, _) = flaky();
    fill(&log, 1..=5).await;
    let offsets = |page: Result<Vec<Event>, StoreError>| -> Vec<u64> {
        page.unwrap().iter().map(|event| event.offset.0).collect()
    };
    assert_eq!(offsets(log.page_before(STREAM, Offset(5), 2).await), [3, 4]);
    assert_eq!(
        offsets(log.page_before(STREAM, Offset(u64::MAX), 1).await),
        [5]
    );
    assert_eq!(offsets(log.page_before(STREAM, Offset(1), 9).await), [0; 0]);
    assert_eq!(offsets(log.page_before(STREAM, Offset(5), 0).await), [0; 0]);
    assert_eq!(offsets(log.page_after(STREAM, Offset(3), 9).await), [4, 5]);
    assert_eq!(offsets(log.page_after(STREAM, Offset(9), 9).await), [0; 0]);
    assert_eq!(
        offsets(log.page_after("nobody", Offset(0), 9).await),
        [0; 0]
    );
    // `flaky` has pages of two.
    assert_eq!(offsets(log.page_after(STREAM, Offset(0), 9).await), [1, 2]);
}

#[tokio::test]
async fn closing_stores_what_was_accepted_and_ends_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let log = open(store, Config::default());
    let socket = Socket::new(100);
    let subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    let receipts: Vec<_> = (1..=20)
        .map(|number| log.submit(nth(number)).unwrap())
        .collect();
    let (first, second) = tokio::join!(log.close(), log.close());
    assert_eq!((first, second), (Ok(()), Ok(())));
    for (receipt, offset) in receipts.into_iter().zip(1..) {
        assert_eq!(receipt.await, fresh(offset));
    }
    assert_eq!(socket.has_ended().await, End::Closed);
    assert_eq!(socket.offsets(), (1..=20).collect::<Vec<_>>());
    assert!(subscription.is_over());

    assert_eq!(log.append(nth(21)).await, Err(AppendError::Unavailable));
    for stream in [STREAM, "another"] {
        let refused = log.subscribe(stream, Offset::ZERO, Socket::new(1));
        assert_eq!(refused.err(), Some(SubscribeError::Closed));
    }
    assert_eq!(
        log.page_after(STREAM, Offset::ZERO, 9).await,
        Err(StoreError::Closed)
    );
    // The database is free again, though a handle of the log is still there.
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let streams = store.reader().streams().unwrap();
    assert_eq!(streams[0].1.last, Offset(20));
}

#[tokio::test]
async fn the_last_handle_closes_the_log() {
    let (log, _) = flaky();
    let socket = Socket::new(100);
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    let receipt = log.submit(nth(1)).unwrap();
    drop(log.clone());
    drop(log);
    assert_eq!(receipt.await, fresh(1));
    assert_eq!(socket.has_ended().await, End::Closed);
    assert_eq!(socket.offsets(), [1]);
}

/// A reader that lets the test see how many read at the same time.
struct CountingReader {
    inner: Arc<dyn Reader>,
    inside: AtomicUsize,
    most: AtomicUsize,
    entered: Mutex<tokio::sync::mpsc::UnboundedSender<()>>,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Reader for CountingReader {
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError> {
        self.inner.streams()
    }

    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.entered.lock().unwrap().send(()).unwrap();
        self.gate.lock().unwrap().recv().unwrap();
        let page = self.inner.page_after(stream, after, limit);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        page
    }

    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        self.inner.page_before(stream, before, limit)
    }
}

/// A memory store with another reader.
struct WithReader(MemoryStore, Arc<CountingReader>);

impl Store for WithReader {
    fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        self.0.append(batch)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        self.0.trim(stream, first)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.1) as Arc<dyn Reader>
    }

    fn close(self) -> Result<(), StoreError> {
        self.0.close()
    }
}

#[tokio::test]
async fn replays_take_turns_at_the_store() {
    let store = MemoryStore::new(epoch(1));
    let (entered, mut has_entered) = tokio::sync::mpsc::unbounded_channel();
    let (open_gate, gate) = mpsc::channel();
    let reader = Arc::new(CountingReader {
        inner: store.reader(),
        inside: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        entered: Mutex::new(entered),
        gate: Mutex::new(gate),
    });
    let config = Config {
        ring_rows: 1,
        max_concurrent_replays: 2,
        ..Config::default()
    };
    let log = open(WithReader(store, Arc::clone(&reader)), config);
    fill(&log, 1..=3).await;
    let sockets: Vec<_> = (0..6).map(|_| Socket::new(9)).collect();
    let subscribe = |socket: &Socket| log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    let subscriptions: Vec<_> = sockets.iter().map(subscribe).collect();
    has_entered.recv().await.unwrap();
    has_entered.recv().await.unwrap();
    for _ in 2..6 {
        open_gate.send(()).unwrap();
        has_entered.recv().await.unwrap();
    }
    open_gate.send(()).unwrap();
    open_gate.send(()).unwrap();
    for socket in &sockets {
        socket.has_received(3).await;
    }
    assert_eq!(reader.most.load(Ordering::SeqCst), 2);
    drop(subscriptions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_appenders_and_subscribers_on_real_threads() {
    const AUTHORS: u64 = 8;
    const EACH: u64 = 150;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        synchronous: Synchronous::Normal,
        ..Options::default()
    };
    let store = SqliteStore::open(folder.path().join("log.db"), options).unwrap();
    let config = Config {
        ring_rows: 40,
        replay_page: 16,
        ..Config::default()
    };
    let log = open(store, config);
    let total = (AUTHORS * EACH) as usize;
    let mut tasks = Vec::new();
    for author in 0..AUTHORS {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            let mut last = Offset::ZERO;
            for number in 0..EACH {
                let append = append(
                    &author.to_string(),
                    &number.to_string(),
                    &format!("{author} {number}"),
                );
                let first = log.append(append.clone()).await.unwrap();
                assert!(first.offset > last && !first.duplicate);
                last = first.offset;
                if number % 10 == 0 {
                    assert_eq!(log.append(append).await, duplicate(last.0));
                }
            }
        }));
    }
    for reader in 0..16_usize {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            // The odd ones leave now and then, and come back where they were.
            let stay = if reader % 2 == 0 { total } else { 37 };
            let mut have = 0;
            while have < total {
                let socket = Socket::new(1 + reader * 3);
                let from = Offset(have as u64);
                let subscription = log.subscribe(STREAM, from, socket.clone()).unwrap();
                let until = stay.min(total - have);
                while socket.offsets().len() < until {
                    let received = socket.offsets().len();
                    socket.read(usize::MAX);
                    socket.has_received(received + 1).await;
                }
                drop(subscription);
                let received = socket.offsets();
                let expected = (from.0 + 1..).take(received.len());
                assert_eq!(received, expected.collect::<Vec<_>>());
                have += received.len();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    log.close().await.unwrap();
    let stats = log.stats();
    assert_eq!(
        (stats.rows as usize, stats.subscriptions, stats.catching_up),
        (total, 0, 0)
    );
}
