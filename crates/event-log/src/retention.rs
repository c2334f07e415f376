//! How much of a stream is kept, and how many of its oldest events have to go for that. Pure.

use std::time::Duration;

use crate::Event;

/// How much of each stream is kept. The default keeps everything.
///
/// Events are forgotten from the oldest on, with their keys, some time after they are over the limit: looked for each
/// second, and in pieces, so that no append waits for long. Readers see it: a cursor before the oldest event that is
/// kept is answered with a [`Resync`](crate::Resync). A retry of a forgotten event is stored as a new one, so keep
/// events for longer than anybody retries.
///
/// ```
/// use std::time::Duration;
/// use event_log::{Config, Retention};
///
/// let month = Duration::from_secs(30 * 24 * 60 * 60);
/// let retention = Retention { age: Some(month), ..Default::default() };
/// let config = Config { retention, ..Default::default() };
/// assert_eq!(config.retention.rows, None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The most events. The newest is always kept. Default: `None`, no limit.
    pub rows: Option<u64>,
    /// The most bytes of author, key and content. The newest event is always kept, whatever its size.
    /// Default: `None`, no limit.
    ///
    /// Opening a log with this limit reads all its events once, to know what they weigh.
    pub bytes: Option<u64>,
    /// The longest time since an event's `at`, by this machine's clock. Default: `None`, no limit.
    ///
    /// An older event behind a younger one stays until that one goes, unless that one is of the future.
    ///
    /// A clock that jumps ahead is not believed at once. The age of events begins with the newest that is stored when the
    /// log is opened, and goes as the clock does, but while that is ahead by no more than a day for each hour that the
    /// log is open. So a clock that is wrong for an hour, by however much, makes no event older by more than a day; and
    /// what became too old while the log was closed goes within hours. A clock that is behind makes nothing older. What is
    /// stored with a wrong clock keeps its wrong time, and is believed when the log is opened again.
    pub age: Option<Duration>,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub events: u64,
    /// Counted only if there is a limit to them.
    pub bytes: u64,
}

impl Retention {
    /// Whether nothing is ever forgotten.
    #[must_use]
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the oldest events are worth a look.
    pub(crate) fn may_expire(&self, held: Held) -> bool {
        let is_over = |limit: Option<u64>, held| limit.is_some_and(|limit| held > limit);
        held.events > 0
            && (self.age.is_some()
                || is_over(self.rows, held.events)
                || is_over(self.bytes, held.bytes))
    }

    /// How many of the oldest events go. `now` is in milliseconds since 1970, as the events' `at`.
    pub(crate) fn expired(&self, held: Held, oldest: &[Event], now: i64) -> usize {
        let Held {
            mut events,
            mut bytes,
        } = held;
        let old = self.age.map(|age| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            now.saturating_sub(age)
        });
        let mut expired = 0;
        for (event, number) in oldest.iter().zip(1..) {
            let is_over = self.rows.is_some_and(|rows| events > rows)
                || self.bytes.is_some_and(|most| bytes > most);
            let is_old = old.is_some_and(|old| event.at < old);
            if is_old || (is_over && events > 1) {
                expired = number;
            } else if event.at <= now {
                break;
            }
            // One that was stored by a clock that was ahead is as old as the one behind it.
            events = events.saturating_sub(1);
            bytes = bytes.saturating_sub(event.weight() as u64);
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offset;

    /// Events of 10 bytes, with these times.
    fn oldest(times: &[i64]) -> Vec<Event> {
        let event = |(offset, at): (u64, &i64)| Event {
            stream: "s".into(),
            offset: Offset(offset),
            author: "ann".to_owned(),
            key: "k".to_owned(),
            content: "123456".into(),
            at: *at,
        };
        (1..).zip(times).map(event).collect()
    }

    fn held(events: u64) -> Held {
        Held {
            events,
            bytes: events * 10,
        }
    }

    #[test]
    fn by_default_everything_is_kept() {
        let retention = Retention::default();
        assert!(retention.keeps_everything());
        assert!(!retention.may_expire(held(u64::MAX / 10)));
        assert_eq!(
            retention.expired(held(1_000), &oldest(&[0; 9]), i64::MAX),
            0
        );
    }

    #[test]
    fn what_is_above_the_number_goes_but_never_the_newest() {
        let expired = |rows, events| {
            let retention = Retention {
                rows: Some(rows),
                ..Retention::default()
            };
            assert_eq!(retention.may_expire(held(events)), events > rows);
            retention.expired(held(events), &oldest(&[0; 4]), 0)
        };
        assert_eq!(expired(4, 4), 0);
        assert_eq!(expired(3, 4), 1);
        assert_eq!(expired(0, 4), 3);
        // Only what was looked at.
        assert_eq!(expired(3, 100), 4);
    }

    #[test]
    fn what_is_above_the_bytes_goes_but_never_the_newest() {
        let expired = |bytes| {
            let retention = Retention {
                bytes: Some(bytes),
                ..Retention::default()
            };
            retention.expired(held(4), &oldest(&[0; 4]), 0)
        };
        assert_eq!(expired(40), 0);
        assert_eq!(expired(39), 1);
        assert_eq!(expired(20), 2);
        assert_eq!(expired(0), 3);
    }

    #[test]
    fn what_is_too_old_goes_up_to_the_first_that_is_not() {
        let expired = |times: &[i64], now| {
            let retention = Retention {
                age: Some(Duration::from_millis(100)),
                ..Retention::default()
            };
            retention.expired(held(times.len() as u64), &oldest(times), now)
        };
        assert_eq!(expired(&[0, 50, 80], 100), 0);
        assert_eq!(expired(&[0, 50, 80], 101), 1);
        assert_eq!(expired(&[0, 50, 80], 1_000), 3);
        assert_eq!(expired(&[0, 150, 1], 200), 1);
        assert_eq!(expired(&[0], i64::MIN), 0);
    }

    #[test]
    fn what_is_of_the_future_goes_with_what_is_too_old_behind_it() {
        let expired = |times: &[i64], now| {
            let retention = Retention {
                age: Some(Duration::from_millis(100)),
                ..Retention::default()
            };
            retention.expired(held(times.len() as u64), &oldest(times), now)
        };
        assert_eq!(expired(&[0, 9_000, 9_001, 50, 160], 200), 4);
        assert_eq!(expired(&[9_000, 50, 9_000], 200), 2);
        assert_eq!(expired(&[9_000, 9_000], 200), 0);
        assert_eq!(expired(&[9_000, 150, 50], 200), 0);
    }
}
