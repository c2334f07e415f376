//! The limits of a log, each with its default.

use std::time::Duration;

use crate::Retention;

/// Every bound inside a log. The defaults suit a chat.
///
/// ```
/// let config = event_log::Config { write_queue: 64, ..Default::default() };
/// assert_eq!(config.replay_page, 256);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many appends may wait to be stored; one more is answered `Busy` at once. Default: 1,024 appends.
    pub write_queue: usize,
    /// The most events in one transaction; 0 counts as 1. Default: 256 events.
    pub batch_rows: usize,
    /// The longest that a waiting append is held back for others to join its transaction. Default: 2 ms.
    ///
    /// It is only held back when others are expected, see the crate's documentation.
    pub batch_delay: Duration,
    /// The most events that are kept in memory, encoded, for each stream. Default: 1,024 events.
    pub ring_rows: usize,
    /// The most bytes of author, key and content of the events kept in memory, for each stream. Default: 4 MiB.
    pub ring_bytes: usize,
    /// The most events a subscriber that catches up, or a history read, takes at a time. Default: 256 events.
    pub replay_page: usize,
    /// The most bytes of author, key and content in such a page; it always holds one event. Default: 256 KiB.
    pub replay_page_bytes: usize,
    /// How many pages may be read from the store at the same time, other readers wait their turn; 0 counts as 1.
    /// Default: 64 pages.
    pub max_concurrent_replays: usize,
    /// How long a replay waits when the store could not be read, before it tries again. Default: 250 ms.
    pub replay_retry: Duration,
    /// The most streams; those found in the store at the start do not count as too many. Default: 1,024 streams.
    pub max_streams: usize,
    /// The longest name of a stream, author or key, in bytes of UTF-8. Default: 255 bytes.
    pub max_name_bytes: usize,
    /// The longest content. Default: 64 KiB.
    pub max_content_bytes: usize,
    /// How much of each stream is kept. Default: everything.
    pub retention: Retention,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            write_queue: 1_024,
            batch_rows: 256,
            batch_delay: Duration::from_millis(2),
            ring_rows: 1_024,
            ring_bytes: 4 << 20,
            replay_page: 256,
            replay_page_bytes: 256 << 10,
            max_concurrent_replays: 64,
            replay_retry: Duration::from_millis(250),
            max_streams: 1_024,
            max_name_bytes: 255,
            max_content_bytes: 64 << 10,
            retention: Retention::default(),
        }
    }
}
