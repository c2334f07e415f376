//! Figures about a log, for a metrics page.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sync::{AtomicU64, AtomicUsize};

/// What a log has done since it was opened, and what it holds now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Events stored.
    pub rows: u64,
    /// Transactions that stored at least one event.
    pub commits: u64,
    /// Appends that were a retry of a stored event.
    pub duplicates: u64,
    /// Appends refused because their key stood for other content.
    pub conflicts: u64,
    /// Appends answered `Busy`.
    pub busy: u64,
    /// Appends answered `Unavailable` or `Closed`.
    pub unavailable: u64,
    /// Events forgotten because [`Config::retention`](crate::Config::retention) has it so.
    pub forgotten: u64,
    /// Appends waiting to be stored.
    pub queued: usize,
    /// Subscriptions, live or catching up.
    pub subscriptions: usize,
    /// Subscriptions that are catching up.
    pub catching_up: usize,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    pub rows: AtomicU64,
    pub commits: AtomicU64,
    pub duplicates: AtomicU64,
    pub conflicts: AtomicU64,
    pub busy: AtomicU64,
    pub unavailable: AtomicU64,
    pub forgotten: AtomicU64,
    pub subscriptions: Arc<AtomicUsize>,
}

impl Counters {
    pub fn snapshot(&self, queued: usize, catching_up: &AtomicUsize) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            rows: read(&self.rows),
            commits: read(&self.commits),
            duplicates: read(&self.duplicates),
            conflicts: read(&self.conflicts),
            busy: read(&self.busy),
            unavailable: read(&self.unavailable),
            forgotten: read(&self.forgotten),
            queued,
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            catching_up: catching_up.load(Ordering::Relaxed),
        }
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}
