//! What the log needs from whatever keeps the events: two traits, so that other databases can take SQLite's place.

use std::sync::Arc;

use crate::{Append, AppendError, Appended, Bounds, Epoch, Event, Offset};

/// Keeps the events of all streams. One thread owns it and is the only one that writes.
pub trait Store: Send + 'static {
    /// The name of this history.
    fn epoch(&self) -> Epoch;

    /// Stores a batch: all of it or nothing, and durable when this returns `Ok`.
    ///
    /// The outcomes are those of [`apply`](crate::apply), one for each append in order.
    /// After an error the log assumes neither that the batch is stored nor that it is not, and reads what is there.
    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError>;

    /// Forgets the events of a stream before `first`; the offsets are not given again.
    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError>;

    /// Events were stored by transactions of the application: whatever is counted here has to be counted anew.
    fn stored_by_others(&mut self) {}

    /// The reading side, which sees a batch no earlier than when it is durable.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Leaves everything in good order. Reading fails with `Closed` from then on.
    fn close(self) -> Result<(), StoreError>;
}

/// Reads what a [`Store`] holds, from any thread, while the writer goes on. Its methods may block.
pub trait Reader: Send + Sync {
    /// All streams that have ever held an event.
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError>;

    /// The oldest events after `after`, in order.
    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError>;

    /// The newest events before `before`, in order.
    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError>;
}

/// How much one page may hold. A page ends with the event that reaches either limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// The most events.
    pub rows: u64,
    /// Bytes of author, key and content, after which no further event is taken.
    pub bytes: usize,
}

/// What became of one append of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now, at this offset.
    Stored(Offset),
    /// Stored before, at this offset, with the same content.
    Duplicate(Offset),
    /// The key was used before for other content.
    Conflict,
    /// The key was used before, and what it was used for cannot be read any more.
    Unreadable,
}

impl Outcome {
    /// What whoever appended is told.
    pub(crate) fn answer(self) -> Result<Appended, AppendError> {
        match self {
            Self::Stored(offset) => Ok(Appended {
                offset,
                duplicate: false,
            }),
            Self::Duplicate(offset) => Ok(Appended {
                offset,
                duplicate: true,
            }),
            Self::Conflict => Err(AppendError::Conflict),
            Self::Unreadable => Err(AppendError::Unavailable),
        }
    }
}

/// Why a store did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds it for longer than one is willing to wait.
    #[error("the store is locked by another process")]
    Busy,
    /// It cannot be used now: the disk is full, protected or failing.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// What it holds is not what was written.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
}
