//! The application's end of a subscription: a handle that ends it when dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::stream::Stream;
use crate::sync::{AtomicBool, AtomicUsize, Notify};
use crate::{Frame, Resync};

/// A subscriber's place in a stream. Dropping it ends the subscription and cancels a replay in flight.
///
/// The drop waits for nobody, so an offer that another thread is making at this moment may still be taken:
/// who subscribes again begins with a sink of its own.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    ticket: Arc<Ticket>,
    stream: Arc<dyn Leave>,
}

/// Why there is no subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The cursor does not fit; the subscriber must start anew.
    #[error(transparent)]
    Resync(#[from] Resync),
    /// There are `Config::max_streams` streams and this would be one more, or its name is no name.
    #[error("there cannot be such a stream")]
    NoSuchStream,
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

impl Subscription {
    pub(crate) fn new(ticket: Arc<Ticket>, stream: Arc<dyn Leave>) -> Self {
        Self { ticket, stream }
    }

    /// Whether it has ended: by the log, or because the sink was closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ticket.is_over()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.ticket.finish();
        self.ticket.dropped.notify_one();
        Arc::clone(&self.stream).leave_live_set(self.ticket.id());
    }
}

/// A stream, whatever its frames are.
pub(crate) trait Leave: Send + Sync {
    fn leave_live_set(self: Arc<Self>, ticket: u64);
}

impl<F: Frame> Leave for Stream<F> {
    fn leave_live_set(self: Arc<Self>, ticket: u64) {
        self.leave(ticket);
    }
}

/// What the handle and the delivery of one subscription share.
pub(crate) struct Ticket {
    id: u64,
    over: AtomicBool,
    dropped: Notify,
    _counted: Counted,
}

impl Ticket {
    pub fn new(id: u64, counted: Counted) -> Self {
        Self {
            id,
            over: AtomicBool::new(false),
            dropped: Notify::new(),
            _counted: counted,
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Ends it, and says whether this was the first to do so.
    pub fn finish(&self) -> bool {
        !self.over.swap(true, Ordering::SeqCst)
    }

    /// Resolves when the handle is dropped.
    pub async fn dropped(&self) {
        self.dropped.notified().await;
    }
}

/// One more of something, for as long as this lives.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
