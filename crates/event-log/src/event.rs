//! The words of the log: events, offsets, and what an append is answered.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::Epoch;

/// The place of an event in its stream: 1, 2, 3 and so on without a hole.
///
/// As a *cursor* it names the last event somebody has, and 0 is "nothing yet".
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The offset that comes after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The stream it goes to; a stream begins with its first event.
    pub stream: String,
    /// Who says it, as the application has proved it: keys of different authors never meet.
    pub author: String,
    /// The author's own name for this event, by which a retry is recognised.
    pub key: String,
    /// What is said; the log does not look inside.
    pub content: Bytes,
    /// When it was said, in milliseconds since 1970; stored, and used for nothing but [`Retention::age`](crate::Retention::age).
    pub at: i64,
}

/// An event that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The stream it stands in.
    pub stream: Arc<str>,
    /// Its place there.
    pub offset: Offset,
    /// Who said it.
    pub author: String,
    /// The author's own name for it.
    pub key: String,
    /// What was said.
    pub content: Bytes,
    /// When it was said, in milliseconds since 1970.
    pub at: i64,
}

impl Event {
    /// What this event counts towards limits in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.author.len() + self.key.len() + self.content.len()
    }
}

/// The answer to an append: the event is durable, at this offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Where the event stands.
    pub offset: Offset,
    /// It stood there already: this was a retry.
    pub duplicate: bool,
}

/// Why an event was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The event breaks a limit. Final: the same event is refused each time.
    #[error("the event is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// The author used this key before, for other content. Final.
    #[error("this key was used for other content")]
    Conflict,
    /// Too many wait to be stored, or another process holds the store. To be retried.
    #[error("the log is busy")]
    Busy,
    /// The store cannot write now. To be retried.
    ///
    /// The event may be stored all the same, and the retry then finds it.
    #[error("the log is unavailable")]
    Unavailable,
    /// The log is closed and took nothing. Final for this log; one that is opened on the same store takes the retry.
    #[error("the log is closed")]
    Closed,
}

/// Which limit an event breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The stream's name is empty or above `Config::max_name_bytes`.
    #[error("the name of the stream is empty or too long")]
    Stream,
    /// There are `Config::max_streams` streams and this would be one more.
    #[error("there are too many streams")]
    TooManyStreams,
    /// The author is above `Config::max_name_bytes`.
    #[error("the author is too long")]
    Author,
    /// The key is empty or above `Config::max_name_bytes`.
    #[error("the key is empty or too long")]
    Key,
    /// The content is above `Config::max_content_bytes`.
    #[error("the content is too long")]
    Content,
}

/// The oldest and the newest event that a stream holds.
///
/// An empty stream has `first == last + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest event that is kept.
    pub first: Offset,
    /// The newest event.
    pub last: Offset,
}

impl Bounds {
    /// A stream in which nothing has happened.
    pub const EMPTY: Self = Self {
        first: Offset(1),
        last: Offset::ZERO,
    };

    /// Whether everything after `cursor` can be told.
    #[must_use]
    pub fn fits(&self, cursor: Offset) -> bool {
        cursor <= self.last && cursor.next() >= self.first
    }

    /// The cursor from which the newest `count` events follow, or as many as are kept.
    #[must_use]
    pub fn cursor_before_last(&self, count: u64) -> Offset {
        let oldest = self.first.0.saturating_sub(1);
        Offset(self.last.0.saturating_sub(count).max(oldest))
    }
}

/// Where a reader wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'a> {
    /// The epoch the offset was learnt in, if the reader knows one.
    pub epoch: Option<&'a str>,
    /// The last event the reader has.
    pub offset: Offset,
    /// What that event was, if the reader knows.
    ///
    /// By this a history that was set back behind the reader is told: one that is restored with everything beside it
    /// looks as it did when it was copied, and goes on under its old name, with other events at the same offsets.
    /// An event that is not kept any more is not compared. One that is damaged in the store cannot be: then nothing is
    /// said of what the reader has, and the sink is told by [`End::Unreadable`](crate::End::Unreadable).
    pub last: Option<Seen<'a>>,
}

/// What a reader remembers of the last event it has, to tell it from another one at its offset.
///
/// If it is the same event, all before it are the same, too. If the store cannot read its own any more, what the reader
/// has may be the only good copy, and it is not asked to forget that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its key.
    pub key: &'a str,
    /// When it was said. A key that is used again at the same place was used at another time.
    pub at: i64,
}

impl From<Offset> for Cursor<'_> {
    /// A cursor of the present epoch.
    fn from(offset: Offset) -> Self {
        Self {
            epoch: None,
            offset,
            last: None,
        }
    }
}

/// The reader's cursor means nothing here: it must forget what it has and start within these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not fit: epoch {epoch} holds {first} to {last}")]
pub struct Resync {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The oldest event that is kept.
    pub first: Offset,
    /// The newest event; below `first` if there is none.
    pub last: Offset,
}

impl Resync {
    pub(crate) fn new(epoch: Epoch, bounds: Bounds) -> Self {
        Self {
            epoch,
            first: bounds.first,
            last: bounds.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_from_before_the_oldest_kept_to_the_newest() {
        let bounds = Bounds {
            first: Offset(4),
            last: Offset(9),
        };
        let fits = |cursor| bounds.fits(Offset(cursor));
        assert!(!fits(0) && !fits(2));
        assert!(fits(3) && fits(9));
        assert!(!fits(10) && !fits(u64::MAX));
    }

    #[test]
    fn only_zero_fits_an_empty_stream() {
        assert!(Bounds::EMPTY.fits(Offset::ZERO));
        assert!(!Bounds::EMPTY.fits(Offset(1)));
    }

    #[test]
    fn the_last_few_begin_no_earlier_than_what_is_kept() {
        let bounds = Bounds {
            first: Offset(4),
            last: Offset(9),
        };
        assert_eq!(bounds.cursor_before_last(0), Offset(9));
        assert_eq!(bounds.cursor_before_last(2), Offset(7));
        assert_eq!(bounds.cursor_before_last(6), Offset(3));
        assert_eq!(bounds.cursor_before_last(u64::MAX), Offset(3));
        assert_eq!(Bounds::EMPTY.cursor_before_last(5), Offset::ZERO);
    }
}
