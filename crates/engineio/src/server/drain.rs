//! `drain`: closes the sessions one by one over a while, so that their clients do not all come back at once.

use std::time::Duration;

use super::{Engine, Handler};
use crate::error::CloseReason;
use crate::sid::Sid;

impl<H: Handler> Engine<H> {
    /// Takes no more sessions, and closes those there are with `forced close`, in random order, evenly over this time
    /// with a random shift for each. The official clients then connect again by themselves, to another server if a load
    /// balancer has one. Each session gets what is queued for it first, and is served as ever until its turn comes.
    ///
    /// Returns when the last of them has been asked to close, or all have left; [`close`](Self::close) waits for those
    /// that take their time. More than a year counts as a year. If the future is dropped, sessions whose turn has not come stay.
    pub async fn drain(&self, over: Duration) {
        self.refuse_sessions();
        let mut sids: Vec<_> = self.links().iter().map(|link| link.sid()).collect();
        let mut random = Random::of(&sids);
        random.shuffle(&mut sids);
        let start = tokio::time::Instant::now();
        let count = sids.len();
        tracing::debug!(sessions = count, ?over, "draining");
        for (turn, sid) in sids.into_iter().enumerate() {
            let moment = start + moment_of(turn, count, over, random.next());
            if moment > tokio::time::Instant::now() {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(moment) => {}
                    () = self.until(|| self.clients_count() == 0) => return,
                }
            }
            if let Some(link) = self.session(&sid) {
                link.close(CloseReason::ForcedClose);
            }
        }
    }
}

/// So that no moment is beyond what the clock can tell.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// When it is this turn's turn: somewhere in its share of the time.
fn moment_of(turn: usize, count: usize, over: Duration, random: u64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a moment need not be exact")]
    let (turn, count, shift) = (
        turn as f64,
        count.max(1) as f64,
        (random >> 11) as f64 / (1_u64 << 53) as f64,
    );
    over.min(LONGEST).mul_f64((turn + shift) / count)
}

/// A generator that is good enough for an order that is no secret: splitmix64.
struct Random(u64);

impl Random {
    /// One that starts from what is random already, or what the application has made: the ids of the sessions (FNV-1a).
    /// So where those are the same again, all else is.
    fn of(sids: &[Sid]) -> Self {
        let bytes = sids.iter().flat_map(|sid| sid.as_str().bytes());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // Both numbers are far below the range of the generator, so that no place is preferred by much.
            let place = self.next() % (last as u64 + 1);
            items.swap(last, usize::try_from(place).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Duration = Duration::from_secs(10);

    #[test]
    fn each_turn_comes_in_its_share_of_the_time_and_no_two_shifts_are_alike() {
        let mut random = Random(7);
        let moments: Vec<_> = (0..100)
            .map(|turn| moment_of(turn, 100, OVER, random.next()))
            .collect();
        let share = OVER / 100;
        for (turn, moment) in (0..).zip(&moments) {
            assert!(
                (share * turn..share * (turn + 1)).contains(moment),
                "{turn}: {moment:?}"
            );
        }
        let mut shifts: Vec<_> = (0..)
            .zip(&moments)
            .map(|(turn, moment)| *moment - share * turn)
            .collect();
        shifts.sort();
        shifts.dedup();
        assert_eq!(shifts.len(), 100);
    }

    #[test]
    fn the_extremes_of_randomness_stay_within_the_time() {
        assert_eq!(moment_of(0, 1, OVER, 0), Duration::ZERO);
        assert!(moment_of(0, 1, OVER, u64::MAX) <= OVER);
        assert_eq!(moment_of(3, 5, Duration::ZERO, u64::MAX), Duration::ZERO);
        assert_eq!(moment_of(0, 0, OVER, 0), Duration::ZERO);
        assert!(moment_of(0, 1, Duration::MAX, u64::MAX) <= LONGEST);
    }

    #[test]
    fn what_follows_from_the_ids_is_the_same_again() {
        let drawn = |texts: &[&str]| {
            let sids = texts.iter().map(|text| text.parse().unwrap());
            Random::of(&sids.collect::<Vec<Sid>>()).next()
        };
        assert_eq!(drawn(&["a", "b"]), drawn(&["a", "b"]));
        assert_ne!(drawn(&["a", "b"]), drawn(&["a", "c"]));
    }

    #[test]
    fn the_order_is_any_and_the_same_for_the_same_randomness() {
        let order = |seed| {
            let mut order: Vec<_> = (0..100).collect();
            Random(seed).shuffle(&mut order);
            order
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(1);
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
        // Of three items, each of the six orders comes about as often.
        let mut seen = std::collections::BTreeMap::new();
        let mut random = Random(3);
        for _ in 0..6_000 {
            let mut items = [0, 1, 2];
            random.shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        assert!(
            seen.values().all(|count| (850..1_150).contains(count)),
            "{seen:?}"
        );
    }
}
