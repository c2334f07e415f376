//! What a seed decides about a run before it begins. Each run has some of the faults, and some limits that are tight.

use std::time::Duration;

use chaos::rng::Rng;
use event_log::Retention;
use socketio::{Config, Recovery, engineio};

use crate::agenda::Ms;
use crate::network::Weather;

/// The settings of one run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub clients: u64,
    /// How many messages each client says at most.
    pub messages: u64,
    /// The longest pause between two of them.
    pub think: Ms,
    /// How long there are faults.
    pub storm: Ms,
    pub weather: Weather,
    /// The bytes that a connection takes while its client reads nothing.
    pub room: usize,
    /// The longest pause between two faults, and how often each kind is chosen.
    pub pause: Ms,
    pub faults: Vec<(Fault, u64)>,
    /// Of a thousand starts after a crash: how many are followed by another soon.
    pub mishaps: u64,
    /// Of a thousand: how often a client goes and comes again, and loses what a page keeps in memory.
    pub restless: u64,
    /// Messages shown to who is new.
    pub history: u64,
    pub server: Config,
    pub log: event_log::Config,
}

/// What can be done to the server, its disk and its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Ends the process between two steps.
    Kill,
    /// Ends it in one of its next operations on the disk.
    KillInStore,
    /// The machine goes with it, and what was not flushed.
    PowerLoss,
    /// The same, in one of the next operations on the disk.
    PowerLossInStore,
    /// Stops the process, and lets it go on.
    Stop,
    /// Asks the process to end, as SIGTERM does.
    OrderlyStop,
    /// One of the next batches goes wrong.
    Write,
    /// The next reads fail.
    Read,
    /// The disk is full for a while.
    Full,
    /// A client is out of reach for a while.
    Part,
    /// A client takes nothing for a while.
    Doze,
    /// A backup of the database is made.
    BackUp,
    /// The process ends, and the backup is put in the place of the database.
    Restore,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::Kill,
        Self::KillInStore,
        Self::PowerLoss,
        Self::PowerLossInStore,
        Self::Stop,
        Self::OrderlyStop,
        Self::Write,
        Self::Read,
        Self::Full,
        Self::Part,
        Self::Doze,
        Self::BackUp,
        Self::Restore,
    ];
}

impl Settings {
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::of(seed, "settings");
        // These have chances of their own, so that the other settings do not depend on them.
        let mut stops = Rng::of(seed, "stops");
        // A ping has to come through behind everything that a session may have waiting.
        let heartbeat = rng.pick(&[(300, 1_000), (1_000, 1_500), (4_000, 3_000)]);
        let (room, waiting) = rng.pick(&[(4_096, 20_000), (16_384, 100_000), (65_536, 2_000_000)]);
        let engine = engineio::Config {
            ping_interval: Duration::from_millis(heartbeat.0),
            ping_timeout: Duration::from_millis(heartbeat.1),
            upgrade_timeout: Duration::from_millis(rng.within(300..3_000)),
            max_buffered_bytes: waiting,
            write_deadline: Duration::from_millis(rng.pick(&[500, 2_000, 10_000])),
            shutdown_grace: Duration::from_millis(stops.pick(&[100, 2_000])),
            ws_write_buffer: rng.pick(&[256, 16 * 1024]),
            ..Config::engine()
        };
        let small = rng.chance(500);
        Self {
            clients: rng.within(2..6),
            messages: rng.pick(&[5, 15, 25, 80]),
            think: rng.pick(&[50, 300, 1_500]),
            storm: rng.within(2_000..12_000),
            weather: Weather {
                delay: (rng.pick(&[0, 1, 20]), rng.pick(&[0, 5, 60])),
                cut: rng.pick(&[0, 30, 150, 400]),
                silent: rng.pick(&[0, 200, 700]),
                dribble: rng.pick(&[0, 0, 100]),
                slow: rng.pick(&[0, 0, 150]),
            },
            room,
            pause: rng.pick(&[200, 800, 3_000]),
            faults: Fault::ALL
                .into_iter()
                .map(|fault| {
                    let rng = match fault {
                        Fault::OrderlyStop => &mut stops,
                        _ => &mut rng,
                    };
                    (fault, rng.pick(&[0, 1, 4]))
                })
                .collect(),
            mishaps: rng.pick(&[0, 300]),
            restless: rng.pick(&[0, 20, 200]),
            history: rng.within(1..40),
            server: Config {
                engine,
                max_inflight_handlers: rng.pick(&[1, 64]),
                connection_state_recovery: rng.chance(400).then(Recovery::default),
                ..Config::default()
            },
            log: event_log::Config {
                write_queue: if small { 2 } else { 1_024 },
                ring_rows: if small { rng.size(1..6) } else { 1_024 },
                replay_page: if small { rng.size(1..5) } else { 256 },
                retention: Retention {
                    rows: rng.chance(250).then(|| rng.within(5..40)),
                    ..Retention::default()
                },
                ..event_log::Config::default()
            },
        }
    }

    /// A fault by chance, if this run has any.
    pub fn fault(&self, rng: &mut Rng) -> Option<Fault> {
        let all: u64 = self.faults.iter().map(|(_, weight)| weight).sum();
        let mut left = rng.within(0..all.max(1));
        for (fault, weight) in &self.faults {
            if left < *weight {
                return Some(*fault);
            }
            left -= weight;
        }
        None
    }
}
