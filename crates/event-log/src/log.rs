//! The handle of a log: append, subscribe, read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{oneshot, watch};

use crate::catch_up::{CatchUp, Last};
use crate::inbox::Refused;
use crate::shared::{Job, Shared};
use crate::stats::count;
use crate::stream::{Joined, Stream};
use crate::writer::Writer;
use crate::{
    Append, AppendError, Appended, Bounds, Config, Cursor, Driver, Epoch, Event, Frame, Invalid,
    Offset, PageLimit, Resync, Sink, Stats, Store, StoreError, SubscribeError, Subscription,
    runtime, sabotage,
};

/// A log of events, delivered as frames of type `F`. Cheap to clone.
///
/// It closes when the last clone is dropped; [`close`](Self::close) also waits for that.
pub struct Log<F> {
    shared: Arc<Shared<F>>,
    closed: watch::Receiver<Option<Result<(), StoreError>>>,
    _owner: Arc<Owner<F>>,
}

/// Closes the inbox when the last handle is gone, upon which the writer stores what is left and ends.
struct Owner<F>(Arc<Shared<F>>);

/// The answer to an append that was accepted. Dropping it does not undo the append.
#[must_use = "an append may fail"]
pub struct Receipt(oneshot::Receiver<Result<Appended, AppendError>>);

impl<F: Frame> Log<F> {
    /// Opens a log on a store, and starts its writer (a thread) and its publisher (a task).
    ///
    /// `encode` makes the frame that every subscriber of an event gets; it runs once for each event in memory, and
    /// must not panic: an event that cannot be encoded stops the log behind it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(
        store: impl Store,
        config: Config,
        encode: impl Fn(&Event) -> F + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let writer = prepare(store, config, encode, false)?;
        let shared = Arc::clone(writer.shared());
        let closed = runtime::start(writer)?;
        Ok(Self::new(shared, closed))
    }

    /// Opens a log that moves only when its [`Driver`] is told to: for simulations.
    ///
    /// Its pages are read where they are asked for, so the store's reader should not block.
    pub fn driven<S: Store>(
        store: S,
        config: Config,
        encode: impl Fn(&Event) -> F + Send + Sync + 'static,
    ) -> Result<(Self, Driver<S, F>), StoreError> {
        let writer = prepare(store, config, encode, true)?;
        let shared = Arc::clone(writer.shared());
        let (closing, closed) = watch::channel(None);
        Ok((Self::new(shared, closed), Driver::new(writer, closing)))
    }

    pub(crate) fn new(
        shared: Arc<Shared<F>>,
        closed: watch::Receiver<Option<Result<(), StoreError>>>,
    ) -> Self {
        Self {
            _owner: Arc::new(Owner(Arc::clone(&shared))),
            shared,
            closed,
        }
    }

    /// Stores an event and returns its offset when it is durable and on its way to the subscribers.
    ///
    /// Cancel safe: once polled, the event is accepted or refused, and dropping the future does not undo that.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.submit(append)?.await
    }

    /// Hands an event to the writer; events submitted one after the other are stored in this order.
    pub fn submit(&self, append: Append) -> Result<Receipt, AppendError> {
        let stream = self.admit(&append)?;
        let (answer, receipt) = oneshot::channel();
        self.hand_over(Job::Append {
            append,
            stream,
            answer,
        })?;
        Ok(Receipt(receipt))
    }

    /// The stream of an append that breaks no limit.
    pub(crate) fn admit(&self, append: &Append) -> Result<Arc<Stream<F>>, Invalid> {
        self.shared.validate(append)?;
        self.shared.stream(&append.stream)
    }

    /// Sends what the application has stored by [`append_in`](crate::sqlite::append_in) to the subscribers.
    ///
    /// Returns when it is on its way. `Unavailable` and `Busy` mean that the store cannot be read now: the writer goes
    /// on trying by itself, and nothing is lost.
    pub async fn refresh(&self) -> Result<(), AppendError> {
        let (answer, refreshed) = oneshot::channel();
        self.hand_over(Job::Refresh { answer })?;
        refreshed.await.unwrap_or(Err(AppendError::Unavailable))
    }

    /// Forgets the events of a stream before `first`, with their keys. Offsets are not given again.
    ///
    /// The writer does nothing else meanwhile, so a long history is better forgotten in pieces.
    pub async fn trim(&self, stream: &str, first: Offset) -> Result<(), AppendError> {
        let Some(stream) = self.shared.find_stream(stream) else {
            return Ok(());
        };
        let (answer, receipt) = oneshot::channel();
        self.hand_over(Job::Trim {
            stream,
            first,
            answer,
        })?;
        receipt.await.unwrap_or(Err(AppendError::Unavailable))
    }

    /// Delivers everything after a cursor to a sink, in order and without end: what is stored, then what is new.
    ///
    /// What the reader [has seen last](Cursor::last) is compared with the store afterwards, and if it is another event there, the
    /// sink is told by [`End::Resync`](crate::End::Resync) before anything is offered to it; if it cannot be compared,
    /// because it is damaged there, by [`End::Unreadable`](crate::End::Unreadable).
    pub fn subscribe<'a>(
        &self,
        stream: &str,
        from: impl Into<Cursor<'a>>,
        sink: impl Sink<F>,
    ) -> Result<Subscription, SubscribeError> {
        let from = from.into();
        let stream = self
            .shared
            .stream(stream)
            .map_err(|_: Invalid| SubscribeError::NoSuchStream)?;
        let fits = self.fits(from, stream.bounds());
        let from = match fits {
            Ok(()) => from,
            Err(resync) => sabotage::unfit(resync)?,
        };
        let member = self.shared.member(from.offset, sink);
        let ticket = Arc::clone(&member.ticket);
        // Before the first event there is nothing that could be another.
        if let Some(last) = from.last.filter(|_| from.offset > Offset::ZERO) {
            if !stream.signal.is_open() {
                return Err(SubscribeError::Closed);
            }
            let last = Last::new(from.offset, last);
            let catch_up = CatchUp::new(Arc::clone(&stream), member).behind(last);
            stream.signal.starting(catch_up);
            return Ok(Subscription::new(ticket, stream));
        }
        match stream.join(member) {
            Joined::Live => {}
            Joined::Behind(member) => {
                let catch_up = CatchUp::new(Arc::clone(&stream), member);
                stream.signal.starting(catch_up);
            }
            Joined::Over(_) => return Err(SubscribeError::Closed),
        }
        Ok(Subscription::new(ticket, stream))
    }

    /// Says whether everything after a cursor can be told, as [`subscribe`](Self::subscribe) does too, but without a look
    /// at what the reader [has seen last](Cursor::last).
    pub fn check<'a>(&self, stream: &str, cursor: impl Into<Cursor<'a>>) -> Result<(), Resync> {
        self.fits(cursor.into(), self.shared.bounds(stream))
    }

    fn fits(&self, cursor: Cursor<'_>, bounds: Bounds) -> Result<(), Resync> {
        let same_epoch = cursor
            .epoch
            .is_none_or(|epoch| epoch == self.shared.epoch.as_str());
        let longest = self.shared.config.max_name_bytes;
        let could_be = cursor.last.is_none_or(|last| last.key.len() <= longest);
        if same_epoch && could_be && bounds.fits(cursor.offset) {
            Ok(())
        } else {
            Err(Resync::new(self.shared.epoch, bounds))
        }
    }

    /// The name of this history, which a reader keeps with its cursor.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// The oldest and the newest event of a stream.
    #[must_use]
    pub fn bounds(&self, stream: &str) -> Bounds {
        self.shared.bounds(stream)
    }

    /// The newest offset of a stream.
    #[must_use]
    pub fn tail(&self, stream: &str) -> Offset {
        self.bounds(stream).last
    }

    /// The oldest events after an offset, in order: at most `limit`, and at most a page as the configuration has it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let known = self.tail(stream).0.saturating_sub(after.0);
        let page = self.shared.page(known.min(limit as u64));
        let stream = stream.to_owned();
        self.read(page, move |shared| {
            shared.reader.page_after(&stream, after, page)
        })
        .await
    }

    /// The newest events before an offset, in order: at most `limit`, and at most a page as the configuration has it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let before = before.min(self.tail(stream).next());
        let page = self.shared.page(limit as u64);
        let stream = stream.to_owned();
        self.read(page, move |shared| {
            shared.reader.page_before(&stream, before, page)
        })
        .await
    }

    async fn read(
        &self,
        page: PageLimit,
        read: impl FnOnce(&Shared<F>) -> Result<Vec<Event>, StoreError> + Send + 'static,
    ) -> Result<Vec<Event>, StoreError> {
        if page.rows == 0 {
            return Ok(Vec::new());
        }
        runtime::read(&self.shared, read).await
    }

    /// Figures for a metrics page.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Shared {
            counters,
            inbox,
            signal,
            ..
        } = &*self.shared;
        counters.snapshot(inbox.len(), &signal.catching_up)
    }

    /// Accepts nothing more, stores and answers what was accepted, ends the subscriptions, and closes the store.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.shared.inbox.close();
        let mut closed = self.closed.clone();
        let result = closed.wait_for(Option::is_some).await;
        result
            .ok()
            .and_then(|result| result.clone())
            .unwrap_or(Err(StoreError::Closed))
    }

    fn hand_over(&self, job: Job<F>) -> Result<(), AppendError> {
        let counters = &self.shared.counters;
        self.shared
            .inbox
            .push(job)
            .map_err(|refused| match refused {
                Refused::Full => {
                    count(&counters.busy, 1);
                    AppendError::Busy
                }
                Refused::Closed => {
                    count(&counters.unavailable, 1);
                    AppendError::Closed
                }
            })
    }
}

fn prepare<S: Store, F: Frame>(
    store: S,
    config: Config,
    encode: impl Fn(&Event) -> F + Send + Sync + 'static,
    is_driven: bool,
) -> Result<Writer<S, F>, StoreError> {
    let mut shared = Shared::load(store.epoch(), store.reader(), config, encode)?;
    shared.is_driven = is_driven;
    let mut writer = Writer::new(store, Arc::new(shared));
    writer.weigh_all()?;
    Ok(writer)
}

impl<F> Clone for Log<F> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            closed: self.closed.clone(),
            _owner: Arc::clone(&self._owner),
        }
    }
}

impl<F> Drop for Owner<F> {
    fn drop(&mut self) {
        self.0.inbox.close();
    }
}

impl Future for Receipt {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A writer that went away without an answer has promised nothing.
        let answer = Pin::new(&mut self.0).poll(cx);
        answer.map(|answer| answer.unwrap_or(Err(AppendError::Unavailable)))
    }
}
