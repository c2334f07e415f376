//! Faults on purpose, each of which a run has to find: what does not see them sees nothing.

use chaos::rng::Rng;

use crate::network::Direction;
use crate::record::Record;

/// Something that is broken where the guarantees hang on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The disk says that it has flushed, and has not.
    LyingFlush,
    /// The store does not look for the author's key.
    NoDedup,
    /// The store accepts a record of its file that is torn.
    TornRecord,
    /// The store refuses what it could store.
    IdleRefusal,
    /// The store takes what an earlier process has written, and does not flush it.
    UnflushedStart,
    /// A process that is asked to stop just ends.
    HastyStop,
    /// A flip of one letter on the way, which TCP would have noticed.
    FlippedByte,
    /// A client takes the server's newest offset for its own before it has what leads there.
    CursorJumps,
    /// No client hears that its cursor means nothing.
    SilentResync,
    /// A client gives up a message that was not answered, and says nothing.
    SilentDiscard,
    /// A client makes a new key for each attempt.
    NewKeys,
}

impl Plant {
    pub const ALL: [Self; 11] = [
        Self::LyingFlush,
        Self::NoDedup,
        Self::TornRecord,
        Self::IdleRefusal,
        Self::UnflushedStart,
        Self::HastyStop,
        Self::FlippedByte,
        Self::CursorJumps,
        Self::SilentResync,
        Self::SilentDiscard,
        Self::NewKeys,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::LyingFlush => "lying-flush",
            Self::NoDedup => "no-dedup",
            Self::TornRecord => "torn-record",
            Self::IdleRefusal => "idle-refusal",
            Self::UnflushedStart => "unflushed-start",
            Self::HastyStop => "hasty-stop",
            Self::FlippedByte => "flipped-byte",
            Self::CursorJumps => "cursor-jumps",
            Self::SilentResync => "silent-resync",
            Self::SilentDiscard => "silent-discard",
            Self::NewKeys => "new-keys",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }

    /// Flips a letter, now and then.
    pub fn spoil(self, bytes: &mut [u8], direction: Direction, rng: &mut Rng, record: &mut Record) {
        if self != Self::FlippedByte || direction != Direction::ToClient || !rng.chance(20) {
            return;
        }
        // Behind the head of a message, where only its content is hurt.
        if let Some(place) = bytes.windows(5).position(|part| part == b"plain") {
            bytes[place] = b'P';
            record.count("flipped byte");
        }
    }
}
