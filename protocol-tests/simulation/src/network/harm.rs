//! What a connection suffers: drawn when it begins, from what the run's weather has.

use chaos::rng::Rng;

use super::Direction;
use crate::agenda::Ms;
use crate::record::Record;

/// How bad the network is during a run. Each chance is of a thousand connections.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The shortest delay and what may come on top, in milliseconds.
    pub delay: (Ms, Ms),
    pub cut: u64,
    /// Of those cut: how many times neither side, or only one, is told.
    pub silent: u64,
    pub dribble: u64,
    pub slow: u64,
}

/// The fate of one connection.
#[derive(Debug, Clone)]
pub struct Harm {
    delay: (Ms, Ms),
    /// After so many bytes of a direction it is cut.
    cut: Option<(Direction, u64)>,
    told: [bool; 2],
    dribbles: bool,
}

impl Weather {
    /// Without faults, and with the same delays.
    pub fn fair(&self) -> Self {
        Self {
            delay: self.delay,
            cut: 0,
            silent: 0,
            dribble: 0,
            slow: 0,
        }
    }
}

impl Harm {
    pub fn draw(weather: &Weather, rng: &mut Rng, record: &mut Record) -> Self {
        let mut harm = Self {
            delay: weather.delay,
            cut: None,
            told: [true, true],
            dribbles: rng.chance(weather.dribble),
        };
        if rng.chance(weather.slow) {
            record.count("slow connection");
            harm.delay = (rng.within(50..400), rng.within(1..400));
        }
        if harm.dribbles {
            record.count("dribble");
        }
        if rng.chance(weather.cut) {
            let direction = rng.pick(&[Direction::ToServer, Direction::ToClient]);
            // Most of what goes over a connection is the handshake, and then a few messages.
            let most = rng.pick(&[1, 60, 600, 6_000]);
            harm.cut = Some((direction, rng.within(0..most)));
            if rng.chance(weather.silent) {
                harm.told = rng.pick(&[[false, false], [true, false], [false, true]]);
            }
        }
        harm
    }

    pub fn delay(&self, rng: &mut Rng) -> Ms {
        self.delay.0 + rng.within(0..self.delay.1 + 1)
    }

    /// How many bytes of a direction still pass, if that is limited.
    pub fn left(&self, direction: Direction, carried: u64) -> Option<u64> {
        let (cut, at) = self.cut?;
        (cut == direction).then(|| at.saturating_sub(carried))
    }

    /// Whether the server and the client learn that it was cut.
    pub fn told(&self) -> [bool; 2] {
        self.told
    }

    /// How many bytes travel together.
    pub fn piece(&self, len: usize, rng: &mut Rng) -> usize {
        let len = len as u64;
        let piece = match self.dribbles {
            true => rng.within(1..len.min(40) + 1),
            false if rng.chance(50) => rng.within(1..len + 1),
            false => len,
        };
        usize::try_from(piece).unwrap_or(usize::MAX)
    }

    /// What is left of it when the weather is fair again.
    pub fn mild(&self) -> Self {
        Self {
            delay: (self.delay.0.min(50), self.delay.1.min(50)),
            cut: None,
            told: [true, true],
            dribbles: false,
        }
    }
}
