//! The choices that one loss of power makes, all of them from a seed.

use std::fmt::Write;

use chaos::rng::Rng;

/// What becomes of one operation that was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Dropped,
    /// Of a write, some sectors are there and others are not.
    Torn,
}

/// How a loss treats what was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// All of it is gone.
    Nothing,
    /// All of it is there.
    Everything,
    /// All of it is there but for the last write of each file, which is torn.
    LastTorn,
    /// Each operation is there or not.
    Some,
    /// Each operation is there or not, or torn.
    Sectors,
    /// Nearly all of it is there.
    Most,
    /// Nearly all of it is gone.
    Few,
}

impl Manner {
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::LastTorn,
        Self::Sectors,
        Self::Everything,
        Self::Some,
        Self::Most,
        Self::Few,
    ];
}

/// One loss of power, and an account of what it chose.
#[derive(Debug)]
pub struct Loss {
    manner: Manner,
    rng: Rng,
    account: String,
}

impl Loss {
    pub fn new(manner: Manner, rng: Rng) -> Self {
        Self {
            manner,
            rng,
            account: format!("{manner:?}"),
        }
    }

    /// What was chosen, for whoever has to find out why it went wrong: for each file, what became of each operation
    /// that was not flushed, `+` kept, `-` gone, `~` torn, and in brackets each sector of a torn one.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The choices after this are about one file, or the names in the folder.
    pub fn begin(&mut self, what: &str) {
        // A string takes whatever is written.
        let _ = write!(self.account, "; {what} ");
    }

    pub fn name_is_kept(&mut self) -> bool {
        let kept = match self.manner {
            Manner::Nothing => false,
            Manner::Everything | Manner::LastTorn => true,
            Manner::Some | Manner::Sectors => self.rng.chance(500),
            Manner::Most => self.rng.chance(900),
            Manner::Few => self.rng.chance(100),
        };
        self.note(kept)
    }

    /// What becomes of the next operation of a file, of which it may be the last.
    pub fn fate(&mut self, last: bool) -> Fate {
        let draw = self.rng.within(0..1_000);
        let by = |kept, torn| match draw {
            draw if draw < kept => Fate::Kept,
            draw if draw < kept + torn => Fate::Torn,
            _ => Fate::Dropped,
        };
        let fate = match self.manner {
            Manner::Nothing => Fate::Dropped,
            Manner::LastTorn if last => Fate::Torn,
            Manner::Everything | Manner::LastTorn => Fate::Kept,
            Manner::Some => by(500, 0),
            Manner::Sectors => by(250, 500),
            Manner::Most => by(900, 50),
            Manner::Few => by(50, 50),
        };
        self.account.push(match fate {
            Fate::Kept => '+',
            Fate::Dropped => '-',
            Fate::Torn => '~',
        });
        fate
    }

    /// Whether a torn write has made its file longer, wherever its bytes are.
    pub fn length_is_kept(&mut self) -> bool {
        self.rng.chance(500)
    }

    pub fn sector_is_kept(&mut self) -> bool {
        let kept = self.rng.chance(500);
        self.account.push('[');
        self.note(kept);
        self.account.push(']');
        kept
    }

    /// What a file holds where it was made longer and nothing was written.
    pub fn fill(&mut self, place: &mut [u8]) {
        if self.rng.chance(500) {
            for bytes in place.chunks_mut(8) {
                bytes.copy_from_slice(&self.rng.draw().to_le_bytes()[..bytes.len()]);
            }
        }
    }

    /// Some bytes, up to a length: none, zeroes or noise.
    pub fn rubbish(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; if self.rng.chance(250) { 0 } else { length }];
        self.fill(&mut bytes);
        bytes
    }

    fn note(&mut self, kept: bool) -> bool {
        self.account.push(if kept { '+' } else { '-' });
        kept
    }
}
