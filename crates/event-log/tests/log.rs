//! The log as an application uses it: with its thread, its tasks and a runtime.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::sync::Arc;
use std::sync::mpsc;

use event_log::memory::MemoryStore;
use event_log::sqlite::{Options, SqliteStore, Synchronous};
use event_log::{
    Append, AppendError, Config, End, Epoch, Event, Invalid, Log, Offset, Outcome, Reader, Store,
    StoreError, SubscribeError,
};
use support::{
    Fault, FlakyStore, STREAM, Socket, append, duplicate, epoch, fill, flaky, frame, fresh, nth,
    open,
};

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

    assert_eq!(log.append(nth(21)).await, Err(AppendError::Closed));
    assert_eq!(log.refresh().await, Err(AppendError::Closed));
    assert_eq!(log.trim(STREAM, Offset(2)).await, Err(AppendError::Closed));
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
