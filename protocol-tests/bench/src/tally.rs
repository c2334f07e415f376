//! What arrived of what was sent: lost, repeated, out of order or wrong, and how long it took.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// What went wrong, in messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    pub lost: u64,
    pub repeated: u64,
    pub out_of_order: u64,
    /// With other content than was sent.
    pub wrong: u64,
}

impl Faults {
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.out_of_order += other.out_of_order;
        self.wrong += other.wrong;
    }
}

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub received: u64,
    pub faults: Faults,
    pub latency: Histogram,
}

/// Requests of one client that are answered in the order in which they were sent, if all is well.
#[derive(Debug, Default)]
pub struct Lane {
    next: u64,
    waiting: VecDeque<(u64, Instant)>,
}

impl Lane {
    /// Numbers a request.
    pub fn send(&mut self, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back((number, now));
        number
    }

    pub fn sent(&self) -> u64 {
        self.next
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Notes an answer.
    pub fn receive(&mut self, number: u64, now: Instant, tally: &mut Tally) {
        let place = self.waiting.iter().position(|(sent, _)| *sent == number);
        let Some((_, sent)) = place.and_then(|place| self.waiting.remove(place)) else {
            if number < self.next {
                tally.faults.repeated += 1;
            } else {
                tally.faults.wrong += 1;
            }
            return;
        };
        tally.received += 1;
        tally.faults.out_of_order += u64::from(place != Some(0));
        tally.latency.add(now.saturating_duration_since(sent));
    }
}

/// Numbers that come one after the other, if all is well.
#[derive(Debug)]
pub struct Sequence {
    next: u64,
    missing: BTreeSet<u64>,
}

impl Sequence {
    pub fn starting_at(first: u64) -> Self {
        Self {
            next: first,
            missing: BTreeSet::new(),
        }
    }

    /// Notes a number; says whether it is there for the first time.
    pub fn receive(&mut self, number: u64, faults: &mut Faults) -> bool {
        if number >= self.next {
            self.missing
                .extend(self.next..number.min(self.next + MOST_MISSING));
            self.next = number + 1;
            true
        } else if self.missing.remove(&number) {
            faults.out_of_order += 1;
            true
        } else {
            faults.repeated += 1;
            false
        }
    }

    /// How many have not come of all that are below `end`.
    pub fn lost_below(&self, end: u64) -> u64 {
        self.missing.len() as u64 + end.saturating_sub(self.next)
    }
}

/// Durations in microseconds, by buckets of at most 1/32 of their size.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket_of(micros);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The microseconds that this share of the durations does not exceed; 0 if there are none.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return lowest_of(bucket) as f64;
            }
        }
        0.0
    }
}

fn bucket_of(value: u64) -> usize {
    let shift = value.max(1).ilog2().saturating_sub(STEP_BITS);
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

fn lowest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    (bucket - shift * STEPS) << shift
}

/// Each doubling is cut into 32.
const STEP_BITS: u32 = 5;
const STEPS: u64 = 1 << STEP_BITS;

/// A bound on what a server may make us remember by a number out of the blue.
const MOST_MISSING: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn answers_in_order_are_no_fault_and_their_time_is_noted() {
        let (mut lane, mut tally, begun) = (Lane::default(), Tally::default(), clock::now());
        let numbers = [lane.send(begun), lane.send(begun)];
        for number in numbers {
            lane.receive(number, begun + Duration::from_micros(20), &mut tally);
        }
        assert_eq!((tally.received, lane.waiting()), (2, 0));
        assert_eq!(tally.faults, Faults::default());
        assert_eq!(tally.latency.quantile(0.5), 20.0);
    }

    #[test]
    fn answers_out_of_order_repeated_and_unasked_for_are_told_apart() {
        let (mut lane, mut tally, now) = (Lane::default(), Tally::default(), clock::now());
        let (first, second) = (lane.send(now), lane.send(now));
        for number in [second, second, first, 7] {
            lane.receive(number, now, &mut tally);
        }
        let expected = Faults {
            lost: 0,
            repeated: 1,
            out_of_order: 1,
            wrong: 1,
        };
        assert_eq!((tally.faults, tally.received), (expected, 2));
    }

    #[test]
    fn a_sequence_tells_late_from_lost_and_repeated() {
        let (mut sequence, mut faults) = (Sequence::starting_at(1), Faults::default());
        let news: Vec<bool> = [1, 4, 2, 4]
            .into_iter()
            .map(|number| sequence.receive(number, &mut faults))
            .collect();
        assert_eq!(news, [true, true, true, false]);
        assert_eq!((faults.out_of_order, faults.repeated), (1, 1));
        // 3 was left out, 5 and 6 have not come.
        assert_eq!(sequence.lost_below(7), 3);
    }

    #[test]
    fn buckets_are_in_order_and_no_wider_than_a_32nd() {
        let mut last = 0;
        for value in (0..5_000).chain([1 << 20, 1 << 40, u64::MAX]) {
            let bucket = bucket_of(value);
            assert!(bucket >= last, "{value}");
            last = bucket;
            let lowest = lowest_of(bucket);
            assert!(lowest <= value && value - lowest <= value / 32, "{value}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0.0);
        for micros in 1..=50 {
            histogram.add(Duration::from_micros(micros));
        }
        assert_eq!(histogram.quantile(0.5), 25.0);
        assert_eq!(histogram.quantile(1.0), 50.0);
    }
}
