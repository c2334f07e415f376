//! What the tests of the log share: a store that fails on demand, a sink with little room, and appends by number.

#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part"
)]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use event_log::memory::MemoryStore;
use event_log::{
    Append, AppendError, Appended, Bounds, Config, End, Epoch, Event, Log, Offered, Offset,
    Outcome, PageLimit, Reader, Room, Sink, Store, StoreError,
};

pub const STREAM: &str = "parcels";

/// The frame of the tests: what a reader has to compare.
pub type Frame = (Offset, Bytes);

pub fn frame(event: &Event) -> Frame {
    (event.offset, event.content.clone())
}

pub fn epoch(seed: u8) -> Epoch {
    Epoch::from_random([seed; 15])
}

pub fn append(author: &str, key: &str, content: &str) -> Append {
    Append {
        stream: STREAM.to_owned(),
        author: author.to_owned(),
        key: key.to_owned(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        at: 0,
    }
}

/// An append that no other number makes.
pub fn nth(number: u64) -> Append {
    append("ann", &number.to_string(), &format!("content {number}"))
}

pub fn open(store: impl Store, config: Config) -> Log<Frame> {
    Log::open(store, config, frame).unwrap()
}

/// A log on a store that fails as planned, with a configuration that makes a replay go to the store.
pub fn flaky() -> (Log<Frame>, FlakyStore<MemoryStore>) {
    let store = FlakyStore::new(MemoryStore::new(epoch(1)));
    let config = Config {
        ring_rows: 1,
        replay_page: 2,
        replay_retry: Duration::ZERO,
        ..Config::default()
    };
    (open(store.clone(), config), store)
}

pub fn fresh(offset: u64) -> Result<Appended, AppendError> {
    let offset = Offset(offset);
    Ok(Appended {
        offset,
        duplicate: false,
    })
}

pub fn duplicate(offset: u64) -> Result<Appended, AppendError> {
    let offset = Offset(offset);
    Ok(Appended {
        offset,
        duplicate: true,
    })
}

pub async fn fill(log: &Log<Frame>, numbers: RangeInclusive<u64>) {
    for number in numbers {
        log.append(nth(number)).await.unwrap();
    }
}

/// How the next transaction of a [`FlakyStore`] goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Busy,
    /// Refused, nothing stored.
    Before,
    /// Reported as failed, and stored.
    After,
    PanicBefore,
    PanicAfter,
}

impl Fault {
    pub const ALL: [Self; 5] = [
        Self::Busy,
        Self::Before,
        Self::After,
        Self::PanicBefore,
        Self::PanicAfter,
    ];

    pub fn stores(self) -> bool {
        matches!(self, Self::After | Self::PanicAfter)
    }
}

/// A store whose transactions and reads fail as planned.
#[derive(Clone)]
pub struct FlakyStore<S> {
    inner: S,
    pub plan: Arc<Plan>,
}

#[derive(Default)]
pub struct Plan {
    /// One for each of the next transactions.
    pub faults: Mutex<VecDeque<Fault>>,
    /// One for each of the next attempts to forget.
    pub trim_errors: Mutex<VecDeque<StoreError>>,
    /// So many reads go well before the errors below.
    pub good_reads: Mutex<usize>,
    /// One for each of the next reads.
    pub read_errors: Mutex<VecDeque<StoreError>>,
    /// The batches that went through, whatever was reported.
    pub stored: Mutex<Vec<Vec<Append>>>,
}

impl<S> FlakyStore<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Arc::default(),
        }
    }
}

impl<S: Store> Store for FlakyStore<S> {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        let fault = self.plan.faults.lock().unwrap().pop_front();
        let failed = || Err(StoreError::Unavailable("planned".to_owned()));
        match fault {
            Some(Fault::Busy) => return Err(StoreError::Busy),
            Some(Fault::Before) => return failed(),
            // Unwinds as a panic does, without printing one.
            Some(Fault::PanicBefore) => std::panic::resume_unwind(Box::new("planned")),
            None | Some(Fault::After | Fault::PanicAfter) => {}
        }
        let outcomes = self.inner.append(batch)?;
        self.plan.stored.lock().unwrap().push(batch.to_vec());
        match fault {
            Some(Fault::After) => failed(),
            Some(Fault::PanicAfter) => std::panic::resume_unwind(Box::new("planned")),
            _ => Ok(outcomes),
        }
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        let error = self.plan.trim_errors.lock().unwrap().pop_front();
        error.map_or(Ok(()), Err)?;
        self.inner.trim(stream, first)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(FlakyReader {
            inner: self.inner.reader(),
            plan: Arc::clone(&self.plan),
        })
    }

    fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

struct FlakyReader {
    inner: Arc<dyn Reader>,
    plan: Arc<Plan>,
}

impl FlakyReader {
    fn fail(&self) -> Result<(), StoreError> {
        let mut good = self.plan.good_reads.lock().unwrap();
        if *good > 0 {
            *good -= 1;
            return Ok(());
        }
        drop(good);
        let error = self.plan.read_errors.lock().unwrap().pop_front();
        error.map_or(Ok(()), Err)
    }
}

impl Reader for FlakyReader {
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError> {
        self.fail()?;
        self.inner.streams()
    }

    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        self.fail()?;
        self.inner.page_after(stream, after, limit)
    }

    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        self.fail()?;
        self.inner.page_before(stream, before, limit)
    }
}

/// A socket whose reader is the test: it has room for `capacity` frames until they are read.
#[derive(Clone)]
pub struct Socket(Arc<Mutex<SocketState>>);

struct SocketState {
    capacity: usize,
    unread: usize,
    received: Vec<Frame>,
    closed: bool,
    end: Option<End>,
    wakers: Vec<Waker>,
}

impl Socket {
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(SocketState {
            capacity,
            unread: 0,
            received: Vec::new(),
            closed: false,
            end: None,
            wakers: Vec::new(),
        })))
    }

    /// Makes room for up to `count` frames; says whether any were unread.
    pub fn read(&self, count: usize) -> bool {
        self.change(|state| {
            let any = state.unread > 0;
            state.unread = state.unread.saturating_sub(count);
            any
        })
    }

    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    pub fn received(&self) -> Vec<Frame> {
        self.0.lock().unwrap().received.clone()
    }

    pub fn offsets(&self) -> Vec<u64> {
        let state = self.0.lock().unwrap();
        state.received.iter().map(|frame| frame.0.0).collect()
    }

    pub fn unread(&self) -> usize {
        self.0.lock().unwrap().unread
    }

    pub fn end(&self) -> Option<End> {
        self.0.lock().unwrap().end
    }

    /// Waits until so many frames have come in.
    pub async fn has_received(&self, count: usize) {
        self.until(|state| state.received.len() >= count).await;
    }

    pub async fn has_ended(&self) -> End {
        self.until(|state| state.end.is_some()).await;
        self.end().expect("waited for")
    }

    async fn until(&self, mut reached: impl FnMut(&SocketState) -> bool) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if reached(&state) {
                return Poll::Ready(());
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut SocketState) -> T) -> T {
        let mut state = self.0.lock().unwrap();
        let result = change(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl Sink<Frame> for Socket {
    fn offer(&self, offset: Offset, frame: &Frame) -> Offered {
        self.change(|state| {
            assert_eq!(offset, frame.0, "a frame offered under another offset");
            assert_eq!(state.end, None, "an offer after the end");
            if state.closed {
                return Offered::Closed;
            }
            if state.unread == state.capacity {
                return Offered::Full;
            }
            state.unread += 1;
            state.received.push(frame.clone());
            Offered::Taken
        })
    }

    fn room(&self) -> Room<'_> {
        Box::pin(self.until(|state| state.closed || state.unread < state.capacity))
    }

    fn end(&self, end: End) {
        self.change(|state| assert_eq!(state.end.replace(end), None, "ended twice"));
    }
}
