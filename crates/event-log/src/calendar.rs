//! What time it is for the age of events: a wall clock that jumps ahead is followed slowly. Pure.

use std::time::{Duration, Instant};

/// The clock by which events grow old. It is never ahead of the wall clock, and while it is behind it goes at [`PACE`].
///
/// Nothing tells a clock that was wrong from one that is. A machine that slept for a week is right to forget what has
/// become too old meanwhile, and does so within hours; a machine whose clock shows the wrong year for an hour forgets
/// what a day would have made too old, and not everything.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// The latest time that is believed, in milliseconds since 1970.
    reached: i64,
    looked: Instant,
}

impl Calendar {
    /// Begins when the newest event was said, or now if there is none.
    pub fn new(newest: Option<i64>, wall: i64, now: Instant) -> Self {
        Self {
            reached: newest.map_or(wall, |newest| newest.min(wall)),
            looked: now,
        }
    }

    /// The time, when the wall clock and the one that nobody sets show this.
    pub fn look(&mut self, wall: i64, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.looked).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // Whole milliseconds, and the rest counts with the next look.
        self.looked += Duration::from_millis(passed);
        let most = i64::try_from(passed)
            .unwrap_or(i64::MAX)
            .saturating_mul(PACE);
        let ahead = wall.saturating_sub(self.reached).max(0);
        self.reached = self.reached.saturating_add(ahead.min(most));
        // A clock that was set back makes nothing older, and when it is set right nothing has to be caught up with.
        wall.min(self.reached)
    }

    /// Whether the wall clock is ahead by more than what a pause of the machine explains.
    pub fn is_behind(&self, wall: i64) -> bool {
        wall.saturating_sub(self.reached) > DAY
    }
}

/// How many times faster than time: a day for each hour.
const PACE: i64 = 24;

const DAY: i64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1_000;
    const YEARS: i64 = 10 * 365 * DAY;
    const START: i64 = 1_700_000_000_000;

    /// A calendar and the two clocks, moved by hand.
    struct Clocks {
        calendar: Calendar,
        wall: i64,
        now: Instant,
    }

    #[expect(clippy::disallowed_methods, reason = "moved by hand from then on")]
    fn clocks(newest: Option<i64>) -> Clocks {
        let now = Instant::now();
        Clocks {
            calendar: Calendar::new(newest, START, now),
            wall: START,
            now,
        }
    }

    impl Clocks {
        /// Looks when so many milliseconds have passed, in steps as short as those of a log that has much to forget.
        fn after(&mut self, passed: i64) -> i64 {
            let (wall, now, steps) = (self.wall, self.now, 1_999);
            for step in 0..=steps {
                let microseconds = passed * 1_000 * step / steps;
                self.wall = wall + microseconds / 1_000;
                self.now = now + Duration::from_micros(microseconds.unsigned_abs());
                self.calendar.look(self.wall, self.now);
            }
            self.calendar.look(self.wall, self.now)
        }
    }

    #[test]
    fn time_passes_as_it_does() {
        for newest in [None, Some(START), Some(START - HOUR), Some(START + YEARS)] {
            let mut clocks = clocks(newest);
            for _ in 0..100 {
                clocks.after(HOUR);
            }
            assert_eq!(clocks.after(1_000), START + 100 * HOUR + 1_000);
            assert!(!clocks.calendar.is_behind(clocks.wall));
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_an_hour_a_day() {
        let mut clocks = clocks(Some(START));
        clocks.wall += YEARS;
        assert_eq!(clocks.after(0), START);
        assert!(clocks.calendar.is_behind(clocks.wall));
        assert_eq!(clocks.after(HOUR), START + DAY);
        // And when it is right again so is the time.
        clocks.wall -= YEARS;
        assert_eq!(clocks.after(0), START + HOUR);
        // The second jump costs no more than the first did.
        clocks.wall += YEARS;
        assert_eq!(clocks.after(0), START + DAY);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_older_and_leaves_nothing_behind() {
        let mut clocks = clocks(Some(START));
        clocks.wall -= YEARS;
        assert_eq!(clocks.after(HOUR), START - YEARS + HOUR);
        clocks.wall += YEARS;
        assert_eq!(clocks.after(1_000), START + 24_000);
        assert_eq!(clocks.after(HOUR), START + 2 * HOUR + 1_000);
    }

    #[test]
    fn what_has_become_too_old_while_nobody_was_there_goes_within_hours() {
        let mut clocks = clocks(Some(START - 10 * DAY));
        assert_eq!(clocks.after(HOUR), START - 9 * DAY);
        assert_eq!(clocks.after(10 * HOUR), START + 11 * HOUR);
    }

    #[test]
    fn no_clock_is_too_wrong() {
        for wall in [i64::MIN, i64::MAX] {
            let mut clocks = clocks(Some(START));
            assert!(clocks.calendar.look(wall, clocks.now) <= START);
            clocks.now += Duration::from_secs(1);
            let time = clocks.calendar.look(wall, clocks.now);
            assert_eq!(time, wall.min(START + 24_000));
        }
    }
}
