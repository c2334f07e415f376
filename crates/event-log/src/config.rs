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
    /// Appends that may wait to be stored; one more is answered `Busy` at once.
    pub write_queue: usize,
    /// The most events in one transaction.
    pub batch_rows: usize,
    /// The longest that a waiting append is held back for others to join its transaction.
    /// It is only held back when others are expected, see the crate's documentation.
    pub batch_delay: Duration,
    /// The most events of a stream that are kept in memory, encoded.
    pub ring_rows: usize,
    /// The most bytes of author, key and content of the events kept in memory, for each stream.
    pub ring_bytes: usize,
    /// The most events a subscriber that catches up, or a history read, takes at a time.
    pub replay_page: usize,
    /// The most bytes in such a page; it always holds one event.
    pub replay_page_bytes: usize,
    /// How many pages may be read from the store at the same time; other readers wait their turn.
    pub max_concurrent_replays: usize,
    /// How long a replay waits when the store could not be read, before it tries again.
    pub replay_retry: Duration,
    /// The most streams; those found in the store at the start do not count as too many.
    pub max_streams: usize,
    /// The longest name of a stream, author or key, in bytes.
    pub max_name_bytes: usize,
    /// The longest content, in bytes.
    pub max_content_bytes: usize,
    /// How much of each stream is kept; everything by default.
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
