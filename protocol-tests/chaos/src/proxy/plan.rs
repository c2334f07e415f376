//! What is done to a connection, and where: decided when it begins, carried out when its bytes come by. Pure.

use std::time::Duration;

use crate::rng::Rng;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    Down,
}

/// A fault of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Both sides are told that the other has ended.
    Fin,
    /// Both sides are told that the connection is broken.
    Reset,
    /// One side is told that the other has ended; the other way goes on for a while.
    HalfClose,
    /// Nothing moves this way for a while.
    Stall(Duration),
    /// Nothing moves either way for a while, and then the connection is broken.
    BlackHole(Duration),
    /// Every piece is late from now on.
    Delay(Duration),
    /// A byte or a few at a time, for a while.
    Dribble,
}

impl Harm {
    fn draw(rng: &mut Rng) -> Self {
        let harm = rng.pick(&[
            Self::Fin,
            Self::Fin,
            Self::Reset,
            Self::Reset,
            Self::HalfClose,
            Self::Stall(Duration::ZERO),
            Self::BlackHole(Duration::ZERO),
            Self::Delay(Duration::ZERO),
            Self::Dribble,
        ]);
        match harm {
            Self::Stall(_) => Self::Stall(rng.milliseconds(50..1_500)),
            Self::BlackHole(_) => Self::BlackHole(rng.milliseconds(100..2_000)),
            Self::Delay(_) => Self::Delay(rng.milliseconds(1..60)),
            other => other,
        }
    }

    /// Whether the connection ends by it.
    pub fn cuts(self) -> bool {
        match self {
            Self::Fin | Self::Reset | Self::HalfClose | Self::BlackHole(_) => true,
            Self::Stall(_) | Self::Delay(_) | Self::Dribble => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Fin => "cut",
            Self::Reset => "reset",
            Self::HalfClose => "half-close",
            Self::Stall(_) => "stall",
            Self::BlackHole(_) => "black hole",
            Self::Delay(_) => "delay",
            Self::Dribble => "dribble",
        }
    }
}

/// Where in a connection it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After so many bytes.
    Bytes,
    /// In the middle of a message that goes to the client, which may be one of a replay.
    Message,
    /// In the middle of what a reader catches up with.
    Replay,
    /// In the middle of an upgrade.
    Upgrade,
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "anywhere",
            Self::Message => "in a message",
            Self::Replay => "in a replay",
            Self::Upgrade => "in an upgrade",
        }
    }
}

/// One fault of one connection.
#[derive(Debug, Clone)]
pub struct Plan {
    pub harm: Harm,
    pub way: Way,
    pub place: Place,
    pub trigger: Trigger,
}

impl Plan {
    /// A fault as the chance has it.
    pub fn draw(rng: &mut Rng) -> Self {
        let place = rng.pick(&[
            Place::Bytes,
            Place::Bytes,
            Place::Message,
            Place::Message,
            Place::Upgrade,
        ]);
        let (way, trigger) = match place {
            Place::Bytes => {
                let most = rng.pick(&[600, 4_000, 60_000]);
                (
                    rng.pick(&[Way::Up, Way::Down]),
                    Trigger::after(rng.within(1..most)),
                )
            }
            Place::Message | Place::Replay => (
                Way::Down,
                Trigger::message(rng.within(1..60), rng.within(0..300)),
            ),
            // The request, the probe and the answer to it, and the word that it is done.
            Place::Upgrade => match rng.within(0..3) {
                0 => (
                    Way::Up,
                    Trigger::at(b"transport=websocket&sid=", 1, rng.within(0..300)),
                ),
                1 => (
                    Way::Up,
                    Trigger::at(b"Sec-WebSocket-Key", 1, rng.within(0..80)),
                ),
                _ => (Way::Down, Trigger::at(b"3probe", 1, rng.within(0..40))),
            },
        };
        Self {
            harm: Harm::draw(rng),
            way,
            place,
            trigger,
        }
    }

    /// Mostly a cut, in the middle of what a reader is catching up with.
    pub fn in_replay(rng: &mut Rng, rows: u64) -> Self {
        Self {
            harm: match rng.within(0..6) {
                0 => Harm::draw(rng),
                1..4 => Harm::Fin,
                _ => Harm::Reset,
            },
            way: Way::Down,
            place: Place::Replay,
            trigger: Trigger::message(rng.within(1..rows.max(2)), rng.within(0..300)),
        }
    }
}

/// Waits for a place in a stream of bytes.
#[derive(Debug, Clone)]
pub struct Trigger {
    pattern: &'static [u8],
    /// How many more times the pattern has to come.
    times: u64,
    /// How many bytes of it have been seen.
    matched: usize,
    /// How many bytes behind the pattern.
    extra: u64,
}

impl Trigger {
    fn at(pattern: &'static [u8], times: u64, extra: u64) -> Self {
        Self {
            pattern,
            times,
            matched: 0,
            extra,
        }
    }

    fn after(bytes: u64) -> Self {
        Self::at(b"", 0, bytes)
    }

    fn message(times: u64, extra: u64) -> Self {
        Self::at(b"\"chat message\"", times, extra)
    }

    /// Takes the next bytes; returns how many of them come before the place, once it is reached.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        while self.times > 0 {
            let byte = *bytes.get(position)?;
            position += 1;
            // The patterns do not overlap with themselves but in their first byte.
            if byte == self.pattern[self.matched] {
                self.matched += 1;
            } else {
                self.matched = usize::from(byte == self.pattern[0]);
            }
            if self.matched == self.pattern.len() {
                self.matched = 0;
                self.times -= 1;
            }
        }
        let left = (bytes.len() - position) as u64;
        if self.extra > left {
            self.extra -= left;
            return None;
        }
        let place = position + usize::try_from(self.extra).unwrap_or(0);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_however_the_bytes_are_split() {
        let bytes = b"42[\"chat message\",\"a\"]42[\"chat message\",\"b\"] and more";
        let expected = 44;
        assert_eq!(&bytes[..expected][expected - 3..], b"b\"]");
        for size in 1..bytes.len() {
            let mut trigger = Trigger::message(2, 5);
            let mut before = 0;
            let place = bytes.chunks(size).find_map(|chunk| {
                let place = trigger.feed(chunk).map(|place| before + place);
                before += chunk.len();
                place
            });
            assert_eq!(place, Some(expected), "in pieces of {size}");
        }
    }

    #[test]
    fn a_number_of_bytes_is_a_place() {
        let mut trigger = Trigger::after(5);
        assert_eq!(trigger.feed(b"abc"), None);
        assert_eq!(trigger.feed(b"defg"), Some(2));
    }

    #[test]
    fn every_harm_is_done_at_every_place_sooner_or_later() {
        let mut rng = Rng::of(1, "plan");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            for plan in [Plan::draw(&mut rng), Plan::in_replay(&mut rng, 100)] {
                seen.insert((plan.harm.name(), plan.place.name()));
            }
        }
        assert_eq!(seen.len(), 7 * 4);
    }
}
