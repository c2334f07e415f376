//! `Counters`: how often something happened that nobody was told of otherwise.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Server`](crate::Server) has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions that were closed since the client broke the protocol.
    pub protocol_errors: u64,
    /// Handlers that were skipped since the arguments were not of their type.
    pub mismatched_arguments: u64,
    /// Answers that nobody waited for: late ones, second ones, answers to nothing.
    pub ignored_acks: u64,
    /// Handlers that returned an error.
    pub handler_errors: u64,
    /// Handlers and middlewares that panicked.
    pub handler_panics: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    pub(crate) protocol_errors: AtomicU64,
    pub(crate) mismatched_arguments: AtomicU64,
    pub(crate) ignored_acks: AtomicU64,
    pub(crate) handler_errors: AtomicU64,
    pub(crate) handler_panics: AtomicU64,
}

impl LiveCounters {
    pub(crate) fn read(&self) -> Counters {
        Counters {
            protocol_errors: self.protocol_errors.load(Ordering::Relaxed),
            mismatched_arguments: self.mismatched_arguments.load(Ordering::Relaxed),
            ignored_acks: self.ignored_acks.load(Ordering::Relaxed),
            handler_errors: self.handler_errors.load(Ordering::Relaxed),
            handler_panics: self.handler_panics.load(Ordering::Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
