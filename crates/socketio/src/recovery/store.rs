//! `Store`: what must outlive the process, so that clients are recovered across a crash too.

use std::{fmt, time::Instant};

use super::{
    log::Address,
    offset::{Epoch, Pid},
};
use crate::{encode::Frames, rooms::Room};

/// Keeps what a history needs to go on in the next process. Without one it is memory alone.
///
/// What is [recorded](Self::record) is recorded under the lock of a namespace and *before* anybody is sent anything that
/// depends on it; so it should take microseconds, and it must be there after the process has been killed at any time from
/// then on. After a loss of power [`load`](Self::load) must give what was recorded last or nothing at all, and never less:
/// from a history that lacks its end clients would be told that they have missed nothing.
///
/// A store has one process at a time.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What was recorded of a namespace, or none if nothing was. It is called once for each namespace, before anything is
    /// recorded of it.
    ///
    /// # Errors
    ///
    /// If that cannot be read; then the namespace begins anew.
    fn load(&self, namespace: &str) -> Result<Option<Saved>, StoreError>;

    /// Records what has happened in a namespace.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded. Then [`forget`](Self::forget) is called, and nothing more is recorded of the namespace.
    fn record(&self, namespace: &str, record: &Record<'_>) -> Result<(), StoreError>;

    /// Nothing that was recorded of a namespace is true any more: a later [`load`](Self::load), in this process or the next
    /// one, must not give it.
    fn forget(&self, namespace: &str);
}

/// What has happened in a namespace.
#[derive(Debug)]
pub enum Record<'a> {
    /// A history begins. What was there of the namespace is over.
    Begin(Epoch),
    /// The next event.
    Event {
        /// Its number, one more than that of the event before; the first is 1.
        number: u64,
        /// Whom it was for.
        address: &'a Address,
        /// The packet on the wire.
        frames: &'a Frames,
        /// Events up to this number are not needed any more.
        pruned: u64,
    },
    /// A session has begun, or its rooms have changed: this is what it is now.
    Session(&'a SavedSession),
    /// A session is over, and its data with it.
    SessionOver(&'a Pid),
    /// What the application keeps on the socket of a session.
    Data {
        /// The session.
        pid: &'a Pid,
        /// Which value.
        key: &'a str,
        /// It, as JSON.
        value: &'a [u8],
    },
}

/// What was recorded of a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// Of the history.
    pub epoch: Epoch,
    /// The number of the first of the events, or of the next one if there is none.
    pub first: u64,
    /// The events that are needed, in the order of their numbers, without gaps.
    pub events: Vec<(Address, Frames)>,
    /// The sessions that are not over, with their data.
    pub sessions: Vec<(SavedSession, Vec<SavedValue>)>,
    /// Since when nobody can have been connected: when the process started.
    pub since: Instant,
}

/// A session in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSession {
    /// Its name.
    pub pid: Pid,
    /// The id of its socket.
    pub sid: Room,
    /// The number of the newest event when it began.
    pub start: u64,
    /// Up to here it is not known which rooms it was in.
    pub floor: u64,
    /// The rooms it is in.
    pub rooms: Vec<Room>,
    /// How it came to be in them.
    pub changes: Vec<RoomChange>,
}

/// A room was joined or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomChange {
    /// The newest event at that time.
    pub after: u64,
    /// The room.
    pub room: Room,
    /// Whether it was joined.
    pub is_join: bool,
}

/// What the application keeps on a socket: its key, and JSON.
pub type SavedValue = (String, Vec<u8>);

/// Why a store did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);
