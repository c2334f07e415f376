//! What the handle, the writer and the publisher of a log have in common.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::catch_up::{Last, ReadError};
use crate::inbox::Inbox;
use crate::ring::{Ring, RingLimits};
use crate::signal::Signal;
use crate::stats::Counters;
use crate::stream::{Member, Stream};
use crate::subscription::{Counted, Ticket};
use crate::sync::{AtomicU64, RwLock};
use crate::{
    Append, AppendError, Appended, Bounds, Config, Epoch, Event, Frame, Invalid, Offset, PageLimit,
    Reader, Sink, StoreError,
};

/// One log, without the threads and tasks that move it.
pub(crate) struct Shared<F> {
    pub epoch: Epoch,
    pub config: Config,
    pub encode: Box<dyn Fn(&Event) -> F + Send + Sync>,
    pub inbox: Inbox<Job<F>>,
    pub signal: Arc<Signal<F>>,
    pub counters: Counters,
    pub reader: Arc<dyn Reader>,
    /// `Config::max_concurrent_replays`
    pub reads: Arc<Semaphore>,
    /// A [`Driver`](crate::Driver) moves this log, and nothing of it may happen on another thread.
    pub is_driven: bool,
    // Read for every append and subscription, written when a stream begins.
    streams: RwLock<HashMap<Arc<str>, Arc<Stream<F>>>>,
    next_ticket: AtomicU64,
}

/// Something for the writer to do, and whom to answer.
pub(crate) enum Job<F> {
    Append {
        append: Append,
        stream: Arc<Stream<F>>,
        answer: Answer<Appended>,
    },
    Trim {
        stream: Arc<Stream<F>>,
        first: Offset,
        answer: Answer<()>,
    },
    /// Publish what others have stored.
    Refresh { answer: Answer<()> },
}

/// One that is dropped says `Unavailable`.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, AppendError>>;

impl<F: Frame> Shared<F> {
    /// Loads the tails and the newest events of all streams.
    pub fn load(
        epoch: Epoch,
        reader: Arc<dyn Reader>,
        config: Config,
        encode: impl Fn(&Event) -> F + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let shared = Self {
            epoch,
            encode: Box::new(encode),
            inbox: Inbox::new(config.write_queue),
            signal: Arc::new(Signal::new()),
            counters: Counters::default(),
            reader,
            reads: Arc::new(Semaphore::new(config.max_concurrent_replays.max(1))),
            is_driven: false,
            streams: RwLock::default(),
            next_ticket: AtomicU64::new(0),
            config,
        };
        for (name, bounds) in shared.reader.streams()? {
            let limit = PageLimit {
                rows: shared.config.ring_rows as u64,
                bytes: shared.config.ring_bytes,
            };
            let newest = shared
                .reader
                .page_before(&name, bounds.last.next(), limit)?;
            let expected = newest.iter().zip(bounds.last.0 + 1 - newest.len() as u64..);
            if let Some((event, _)) = expected
                .clone()
                .find(|(event, offset)| event.offset.0 != *offset)
            {
                let what = format!("stream {name:?} has no event before {}", event.offset);
                return Err(StoreError::Corrupt(what));
            }
            let frames = newest.iter().map(|event| shared.frame(event)).collect();
            let mut ring = shared.ring(bounds);
            ring.fill(frames);
            shared.add_stream(&name, ring);
        }
        Ok(shared)
    }

    /// An event as the ring keeps it: its frame, and what it weighs.
    pub fn frame(&self, event: &Event) -> (F, usize) {
        ((self.encode)(event), event.weight())
    }

    /// A stream that is there already.
    pub fn find_stream(&self, name: &str) -> Option<Arc<Stream<F>>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(name).cloned()
    }

    /// The stream of this name, which may begin with this.
    pub fn stream(&self, name: &str) -> Result<Arc<Stream<F>>, Invalid> {
        if let Some(stream) = self.find_stream(name) {
            return Ok(stream);
        }
        if name.is_empty() || name.len() > self.config.max_name_bytes {
            return Err(Invalid::Stream);
        }
        if self.streams().len() >= self.config.max_streams {
            return Err(Invalid::TooManyStreams);
        }
        Ok(self.add_stream(name, self.ring(Bounds::EMPTY)))
    }

    /// The stream of this name, which the store is known to have.
    pub fn stored_stream(&self, name: &str) -> Arc<Stream<F>> {
        self.find_stream(name)
            .unwrap_or_else(|| self.add_stream(name, self.ring(Bounds::EMPTY)))
    }

    pub fn streams(&self) -> Vec<Arc<Stream<F>>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.values().cloned().collect()
    }

    pub fn bounds(&self, stream: &str) -> Bounds {
        self.find_stream(stream)
            .map_or(Bounds::EMPTY, |stream| stream.bounds())
    }

    /// A new subscriber that has everything up to `cursor`.
    pub fn member(&self, cursor: Offset, sink: impl Sink<F>) -> Member<F> {
        let id = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let counted = Counted::new(&self.counters.subscriptions);
        Member {
            cursor,
            ticket: Arc::new(Ticket::new(id, counted)),
            sink: Arc::new(sink),
        }
    }

    /// Reads what a subscriber lacks, as frames, and with it what it says it has seen last. Blocks.
    pub fn read_frames(
        &self,
        stream: &str,
        after: Offset,
        rows: u64,
        last: Option<&Last>,
    ) -> Result<Vec<(Offset, F)>, ReadError> {
        let from = last.map_or(after, Last::before);
        let page = self.page(rows.saturating_add(u64::from(last.is_some())));
        let events = self.reader.page_after(stream, from, page)?;
        if let Some(last) = last
            && !events.first().is_some_and(|event| last.is(event))
            // Who has only what is forgotten gets all that is kept, whatever it has.
            && self.bounds(stream).first <= last.offset
        {
            return Err(ReadError::NotTheLast);
        }
        let new = events.iter().filter(|event| event.offset > after);
        Ok(new
            .map(|event| (event.offset, (self.encode)(event)))
            .collect())
    }

    /// A page of so many rows, as far as the limits allow.
    pub fn page(&self, rows: u64) -> PageLimit {
        PageLimit {
            rows: rows.min(self.config.replay_page.max(1) as u64),
            bytes: self.config.replay_page_bytes,
        }
    }

    /// Checks an append against the limits.
    pub fn validate(&self, append: &Append) -> Result<(), Invalid> {
        let Config {
            max_name_bytes,
            max_content_bytes,
            ..
        } = self.config;
        if append.author.len() > max_name_bytes {
            return Err(Invalid::Author);
        }
        if append.key.is_empty() || append.key.len() > max_name_bytes {
            return Err(Invalid::Key);
        }
        if append.content.len() > max_content_bytes {
            return Err(Invalid::Content);
        }
        Ok(())
    }

    fn ring(&self, bounds: Bounds) -> Ring<F> {
        let limits = RingLimits {
            rows: self.config.ring_rows,
            bytes: self.config.ring_bytes,
        };
        Ring::new(bounds, limits)
    }

    fn add_stream(&self, name: &str, ring: Ring<F>) -> Arc<Stream<F>> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let name = Arc::<str>::from(name);
        // Somebody else may have been faster.
        let stream = streams
            .entry(Arc::clone(&name))
            .or_insert_with(|| Arc::new(Stream::new(name, ring, Arc::clone(&self.signal))));
        Arc::clone(stream)
    }
}
