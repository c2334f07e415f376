//! Where a subscription delivers: the side that the application implements for its sockets.

use std::pin::Pin;

use crate::{Offset, Resync};

/// What an event is encoded to, once, for all its readers: best something whose clone is a reference count.
pub trait Frame: Clone + Send + Sync + 'static {}

impl<F: Clone + Send + Sync + 'static> Frame for F {}

/// Takes the events of one subscriber, in order, each as the frame it was encoded to.
///
/// Nothing here may block. `offer` runs under a lock that all subscribers of the stream share: a push to a queue
/// and a wake is what it is for. It may drop the subscription it belongs to; it must not make a new one.
pub trait Sink<F>: Send + Sync + 'static {
    /// Offers the event after the last one taken.
    fn offer(&self, offset: Offset, frame: &F) -> Offered;

    /// Resolves when an offer is worth making again after [`Offered::Full`]: there is room, or the sink is closed.
    /// It may resolve too early, and is then asked again. It is dropped with the subscription.
    fn room(&self) -> Room<'_>;

    /// The subscription is over, and not because it was dropped or the sink was closed. Nothing is offered after this.
    fn end(&self, end: End) {
        let _ = end;
    }
}

/// The future of [`Sink::room`].
pub type Room<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a sink did with an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It will be delivered.
    Taken,
    /// There is no room; the same event is offered again when there is.
    Full,
    /// Nobody reads any more: the subscription ends.
    Closed,
}

/// Why a subscription was ended by the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Events that were still to be delivered are no longer kept.
    Resync(Resync),
    /// The next event cannot be read from the store as it was written, or the one that the reader
    /// [has seen last](crate::Cursor::last) cannot, to compare the two.
    Unreadable,
    /// The log was closed, and everything up to its last event that could be delivered at once has been.
    Closed,
}
