//! Chance that can be repeated: everything a replay chooses follows from its seed.

use std::ops::Range;

/// A generator (SplitMix64), small enough to give each loss of power its own.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of one part, which does not depend on how much the others have drawn.
    pub fn of(seed: u64, part: u64) -> Self {
        let mut rng = Self(seed);
        let mixed = rng.next();
        let mut rng = Self(mixed ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True so many times out of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.within(0..1_000) < per_mille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let draw = |mut rng: Rng| (0..100).map(|_| rng.within(3..9)).collect::<Vec<_>>();
        assert_eq!(draw(Rng::of(7, 1)), draw(Rng::of(7, 1)));
        assert_ne!(draw(Rng::of(7, 1)), draw(Rng::of(7, 2)));
        assert_ne!(draw(Rng::of(7, 1)), draw(Rng::of(8, 1)));
    }
}
