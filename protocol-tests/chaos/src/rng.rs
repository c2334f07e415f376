//! Chance that can be repeated: every schedule, fault and content of a run follows from its seed.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

/// A generator (SplitMix64), small enough to give each part of a run its own.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a part, which does not depend on how much the other parts have drawn.
    pub fn of(seed: u64, part: impl Display) -> Self {
        let part = hash(part.to_string().as_bytes());
        let mut rng = Self(seed ^ u64::from(part) << 17);
        rng.draw();
        rng
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.draw() % (range.end - range.start)
    }

    /// A number of the range as an index or a length.
    pub fn size(&mut self, range: Range<u64>) -> usize {
        usize::try_from(self.within(range)).unwrap_or(usize::MAX)
    }

    pub fn milliseconds(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// True so many times out of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.within(0..1_000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.size(0..from.len() as u64)]
    }
}

/// FNV-1a: tells contents apart in the history. The Node child computes the same.
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let draw = |mut rng: Rng| (0..100).map(|_| rng.within(3..9)).collect::<Vec<_>>();
        assert_eq!(draw(Rng::of(7, "a")), draw(Rng::of(7, "a")));
        assert_ne!(draw(Rng::of(7, "a")), draw(Rng::of(7, "b")));
        assert_ne!(draw(Rng::of(7, "a")), draw(Rng::of(8, "a")));
        assert!(
            draw(Rng::of(1, "a"))
                .iter()
                .all(|number| (3..9).contains(number))
        );
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0x811c_9dc5);
        assert_eq!(hash(b"foobar"), 0xbf9c_f968);
    }
}
