//! What is done to a connection, and where: decided when it is known what it is for, carried out when its bytes come
//! by. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Weather;
use super::trigger::{Behind, Packet, Trigger};
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
    /// Nothing moves either way for a while, and then the connection is broken.
    BlackHole(Duration),
    /// Nothing moves this way for a while.
    Stall(Duration),
    /// Every piece is late from now on.
    Delay(Duration),
    /// A byte or a few at a time, for a while.
    Dribble,
    /// No more than so many bytes a second from now on.
    Narrow(u64),
}

impl Harm {
    /// One of each; how long or how much is drawn when it is chosen.
    pub const ALL: [Self; 8] = [
        Self::Fin,
        Self::Reset,
        Self::HalfClose,
        Self::BlackHole(Duration::ZERO),
        Self::Stall(Duration::ZERO),
        Self::Delay(Duration::ZERO),
        Self::Dribble,
        Self::Narrow(0),
    ];

    fn draw(self, rng: &mut Rng) -> Self {
        match self {
            Self::Stall(_) => Self::Stall(rng.milliseconds(50..1_500)),
            Self::BlackHole(_) => Self::BlackHole(rng.milliseconds(100..2_000)),
            Self::Delay(_) => Self::Delay(rng.milliseconds(1..60)),
            Self::Narrow(_) => Self::Narrow(rng.within(2_000..50_000)),
            other => other,
        }
    }

    /// Whether the connection ends by it.
    pub fn cuts(self) -> bool {
        match self {
            Self::Fin | Self::Reset | Self::HalfClose | Self::BlackHole(_) => true,
            Self::Stall(_) | Self::Delay(_) | Self::Dribble | Self::Narrow(_) => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Fin => "cut",
            Self::Reset => "reset",
            Self::HalfClose => "half-close",
            Self::BlackHole(_) => "black hole",
            Self::Stall(_) => "stall",
            Self::Delay(_) => "delay",
            Self::Dribble => "dribble",
            Self::Narrow(_) => "narrow",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    WebSocket,
    Polling,
}

/// A step of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The request for the WebSocket.
    Request,
    /// The answer to that.
    Answer,
    /// `2probe`.
    Probe,
    /// `3probe`.
    ProbeAnswer,
    /// `6` on the poll that waits.
    Noop,
    /// `5`.
    Upgrade,
}

/// Where in a connection harm is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// After so many bytes.
    Anywhere(Transport),
    /// In the middle of a message from a client.
    ClientMessage(Transport),
    /// In the middle of a message to a client.
    ServerMessage(Transport),
    /// In the middle of what a reader catches up with.
    Replay(Transport),
    Upgrade(Step),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, transport) = match self {
            Self::Anywhere(transport) => ("anywhere", transport),
            Self::ClientMessage(transport) => ("in a client's message", transport),
            Self::ServerMessage(transport) => ("in a server's message", transport),
            Self::Replay(transport) => ("in a replay", transport),
            Self::Upgrade(step) => {
                return f.write_str(match step {
                    Step::Request => "upgrade: the request",
                    Step::Answer => "upgrade: its answer",
                    Step::Probe => "upgrade: 2probe",
                    Step::ProbeAnswer => "upgrade: 3probe",
                    Step::Noop => "upgrade: the noop",
                    Step::Upgrade => "upgrade: the final 5",
                });
            }
        };
        let transport = match transport {
            Transport::WebSocket => "WebSocket",
            Transport::Polling => "polling",
        };
        write!(f, "{place}, {transport}")
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Polls, or begins a session that does.
    Poll,
    Post,
    /// A session on WebSocket.
    Socket,
    /// Upgrades a session that polls.
    Probe,
    Other,
}

impl Kind {
    /// What the first request of a connection asks for, as soon as its first line is there.
    pub fn of(request: &[u8]) -> Option<Self> {
        let end = request.windows(2).position(|end| end == b"\r\n")?;
        let line = String::from_utf8_lossy(&request[..end]);
        let asks = |what| line.contains(what);
        Some(
            match (asks("transport=polling"), asks("transport=websocket")) {
                (true, _) if line.starts_with("POST") => Self::Post,
                (true, _) => Self::Poll,
                (_, true) if asks("sid=") => Self::Probe,
                (_, true) => Self::Socket,
                _ => Self::Other,
            },
        )
    }

    fn transport(self) -> Transport {
        match self {
            Self::Socket | Self::Probe => Transport::WebSocket,
            Self::Poll | Self::Post | Self::Other => Transport::Polling,
        }
    }

    /// Where it can be hurt in its upgrade.
    fn steps(self) -> &'static [Spot] {
        match self {
            Self::Probe => &[
                Spot::Upgrade(Step::Request),
                Spot::Upgrade(Step::Answer),
                Spot::Upgrade(Step::Probe),
                Spot::Upgrade(Step::ProbeAnswer),
                Spot::Upgrade(Step::Upgrade),
            ],
            Self::Poll => &[Spot::Upgrade(Step::Noop)],
            Self::Socket | Self::Post | Self::Other => &[],
        }
    }

    /// Where it can be hurt at all.
    fn spots(self) -> Vec<Spot> {
        let transport = self.transport();
        let mut spots = vec![Spot::Anywhere(transport)];
        if matches!(self, Self::Post | Self::Socket | Self::Probe) {
            spots.push(Spot::ClientMessage(transport));
        }
        if matches!(self, Self::Poll | Self::Socket | Self::Probe) {
            spots.push(Spot::ServerMessage(transport));
        }
        spots.extend(self.steps());
        spots
    }
}

/// How often what was done where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Spot, &'static str), u64>);

impl Tally {
    pub fn count(&mut self, plan: &Plan) {
        *self.0.entry((plan.spot, plan.harm.name())).or_default() += 1;
    }

    pub fn of(&self, spot: Spot, harm: Harm) -> u64 {
        self.0.get(&(spot, harm.name())).copied().unwrap_or(0)
    }

    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// Where anything was done.
    pub fn spots(&self) -> Vec<Spot> {
        let mut spots: Vec<Spot> = self.0.keys().map(|(spot, _)| *spot).collect();
        spots.dedup();
        spots
    }
}

impl Weather {
    /// Where it hurts.
    pub fn spots(self) -> Vec<Spot> {
        let kinds = [Kind::Poll, Kind::Post, Kind::Socket, Kind::Probe];
        let mut spots: Vec<Spot> = kinds
            .iter()
            .flat_map(|kind| match self {
                Self::Mixed(_) => kind.spots(),
                Self::CutReplays(_) => vec![Spot::Replay(kind.transport())],
                Self::Upgrades => kind.steps().to_vec(),
            })
            .collect();
        spots.sort_unstable();
        spots.dedup();
        spots
    }
}

/// One fault of one connection.
#[derive(Debug, Clone)]
pub struct Plan {
    pub harm: Harm,
    pub way: Way,
    pub spot: Spot,
    pub trigger: Trigger,
}

impl Plan {
    /// What is done to a connection of this kind, if anything.
    pub fn draw(weather: Weather, kind: Kind, tally: &Tally, rng: &mut Rng) -> Option<Self> {
        let (spot, harm) = match weather {
            Weather::Mixed(per_mille) => {
                if !rng.chance(per_mille) {
                    return None;
                }
                let spots = kind.spots();
                // Half by chance and half in turns: then nothing is left out, and what can never be done here, as with
                // a server that does not upgrade, does not keep the rest from being done.
                match rng.chance(500) {
                    true => rarest(&spots, tally, rng),
                    false => (rng.pick(&spots), rng.pick(&Harm::ALL)),
                }
            }
            // Mostly a cut.
            Weather::CutReplays(_) => {
                let spot = Spot::Replay(kind.transport());
                match rng.within(0..6) {
                    0 => rarest(&[spot], tally, rng),
                    1..4 => (spot, Harm::Fin),
                    _ => (spot, Harm::Reset),
                }
            }
            // Of an upgrade that is hurt on its WebSocket, the end is on the poll: not each may be hurt there.
            Weather::Upgrades if kind == Kind::Poll && !rng.chance(250) => return None,
            Weather::Upgrades if kind.steps().is_empty() => return None,
            Weather::Upgrades => rarest(kind.steps(), tally, rng),
        };
        let (way, trigger) = spot.trigger(weather, rng);
        let harm = harm.draw(rng);
        Some(Self {
            harm,
            way,
            spot,
            trigger,
        })
    }
}

/// What was done least often, by chance among equals.
fn rarest(spots: &[Spot], tally: &Tally, rng: &mut Rng) -> (Spot, Harm) {
    let all = || {
        let harms = |spot: &Spot| Harm::ALL.map(|harm| (*spot, harm));
        spots.iter().flat_map(harms)
    };
    let times = |(spot, harm): (Spot, Harm)| tally.of(spot, harm);
    let least = all().map(times).min().unwrap_or(0);
    let rare: Vec<_> = all().filter(|pair| times(*pair) == least).collect();
    rng.pick(&rare)
}

impl Spot {
    /// When it is reached, and on which way.
    fn trigger(self, weather: Weather, rng: &mut Rng) -> (Way, Trigger) {
        let message =
            |times, extra| Trigger::pattern(b"\"chat message\"", times, Behind::Bytes(extra));
        // What a message has behind its name at least.
        let short = 0..8;
        match self {
            Self::Anywhere(_) => {
                let most = rng.pick(&[200, 600, 4_000, 60_000]);
                let way = rng.pick(&[Way::Up, Way::Down]);
                (way, Trigger::Bytes(rng.within(1..most)))
            }
            Self::ClientMessage(Transport::WebSocket) => {
                let times = rng.pick(&[1, 2, 5, 20]);
                let share = rng.within(0..1_001);
                (Way::Up, Trigger::frame(Packet::Event, times, share))
            }
            Self::ClientMessage(Transport::Polling) => (Way::Up, message(1, rng.within(short))),
            Self::ServerMessage(Transport::WebSocket) => {
                let times = rng.within(1..60);
                let share = rng.within(0..1_001);
                (Way::Down, Trigger::frame(Packet::Event, times, share))
            }
            Self::ServerMessage(Transport::Polling) => {
                let times = rng.pick(&[1, 1, 5, 20, 60]);
                (Way::Down, message(times, rng.within(short)))
            }
            Self::Replay(_) => {
                let rows = match weather {
                    Weather::CutReplays(rows) => rows.max(2),
                    Weather::Mixed(_) | Weather::Upgrades => 2,
                };
                let times = rng.within(1..rows);
                (Way::Down, message(times, rng.within(0..300)))
            }
            Self::Upgrade(step) => step.trigger(rng),
        }
    }
}

impl Step {
    fn trigger(self, rng: &mut Rng) -> (Way, Trigger) {
        let share = rng.within(0..1_001);
        match self {
            // Both heads are longer than this.
            Self::Request => (
                Way::Up,
                Trigger::pattern(b"transport=websocket", 1, Behind::Bytes(rng.within(0..100))),
            ),
            Self::Answer => (
                Way::Down,
                Trigger::pattern(b"HTTP/1.1 101", 1, Behind::Bytes(rng.within(0..80))),
            ),
            Self::Probe => (Way::Up, Trigger::frame(Packet::Probe(b'2'), 1, share)),
            Self::ProbeAnswer => (Way::Down, Trigger::frame(Packet::Probe(b'3'), 1, share)),
            Self::Noop => {
                let behind = rng.pick(&[Behind::Before, Behind::Bytes(0)]);
                (Way::Down, Trigger::pattern(b"\r\n\r\n6", 1, behind))
            }
            Self::Upgrade => (Way::Up, Trigger::frame(Packet::Upgrade, 1, share)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_is_for_is_read_from_its_first_line() {
        let kind = |line: &str| Kind::of(format!("{line} HTTP/1.1\r\nHost: a").as_bytes());
        let path = "/socket.io/?EIO=4&transport=";
        assert_eq!(kind(&format!("GET {path}polling")), Some(Kind::Poll));
        assert_eq!(kind(&format!("GET {path}polling&sid=a")), Some(Kind::Poll));
        assert_eq!(kind(&format!("POST {path}polling&sid=a")), Some(Kind::Post));
        assert_eq!(kind(&format!("GET {path}websocket")), Some(Kind::Socket));
        assert_eq!(
            kind(&format!("GET {path}websocket&sid=a")),
            Some(Kind::Probe)
        );
        assert_eq!(kind("GET /"), Some(Kind::Other));
        assert_eq!(Kind::of(b"GET /socket.io/?EIO=4&transp"), None);
    }

    /// How many connections of each kind it takes until everything was done everywhere, if each reaches its place.
    fn rounds(weather: Weather) -> u64 {
        let mut rng = Rng::of(1, "plan");
        let mut tally = Tally::default();
        let kinds = [Kind::Poll, Kind::Post, Kind::Socket, Kind::Probe];
        for round in 0..10_000 {
            let spots = weather.spots();
            let mut all = spots
                .iter()
                .flat_map(|spot| Harm::ALL.map(|harm| (*spot, harm)));
            if all.all(|(spot, harm)| tally.of(spot, harm) > 0) {
                return round;
            }
            for kind in kinds {
                if let Some(plan) = Plan::draw(weather, kind, &tally, &mut rng) {
                    tally.count(&plan);
                }
            }
        }
        panic!("not everything was done: {tally:?}");
    }

    #[test]
    fn everything_is_done_everywhere_before_long() {
        assert_eq!(Weather::Mixed(1_000).spots().len(), 12);
        assert_eq!(Weather::Upgrades.spots().len(), 6);
        assert_eq!(Weather::CutReplays(9).spots().len(), 2);
        let rounds = [
            rounds(Weather::Mixed(1_000)),
            rounds(Weather::Upgrades),
            rounds(Weather::CutReplays(9)),
        ];
        assert!(rounds.iter().all(|rounds| *rounds < 300), "{rounds:?}");
    }
}
