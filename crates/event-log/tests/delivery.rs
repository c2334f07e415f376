//! Subscriptions in a runtime: fast and slow, dropped and closed, damaged and overtaken.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use event_log::memory::MemoryStore;
use event_log::{
    Append, Bounds, Config, Cursor, End, Epoch, Event, Offered, Offset, Outcome, PageLimit, Reader,
    Resync, Room, Sink, Store, StoreError, SubscribeError, Subscription, channel,
};
use support::{FlakyStore, Frame, STREAM, Socket, epoch, fill, flaky, fresh, nth, open};
use tokio::sync::oneshot;

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
    subscription: Arc<Mutex<Option<Subscription>>>,
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
    let (sender, receiver) = channel::<Frame>(9);
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
async fn a_channel_tells_at_its_end_why() {
    let (log, _) = flaky();
    fill(&log, 1..=20).await;
    let (sink, mut overtaken) = channel(1);
    let _overtaken = log.subscribe(STREAM, Offset::ZERO, sink).unwrap();
    assert_eq!(overtaken.recv().await.unwrap().0, Offset(1));
    log.trim(STREAM, Offset(15)).await.unwrap();
    while overtaken.recv().await.is_some() {}
    let resync = Resync {
        epoch: log.epoch(),
        first: Offset(15),
        last: Offset(20),
    };
    assert_eq!(overtaken.end(), Some(End::Resync(resync)));

    let ((sink, mut dropped), (other_sink, mut closed)) = (channel(9), channel(9));
    drop(log.subscribe(STREAM, Offset(20), sink).unwrap());
    let _closed = log.subscribe(STREAM, Offset(20), other_sink).unwrap();
    assert!(dropped.recv().await.is_none());
    assert_eq!(dropped.end(), None);
    assert_eq!(closed.end(), None);
    log.close().await.unwrap();
    assert!(closed.recv().await.is_none());
    assert_eq!(closed.end(), Some(End::Closed));
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
        last: None,
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
