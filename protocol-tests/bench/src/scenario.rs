//! The scenarios, and how a server is measured by one.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::client::Transport;
use crate::clock::now;
use crate::fleet::Fleet;
use crate::load::{
    Extent, Load,
    chat::Chat,
    drive,
    echo::{Content, Echo},
    fan::{Fan, Pace},
};
use crate::process::Process;
use crate::server::{Cores, Kind, Server};
use crate::tally::Faults;

/// Something that servers are measured by.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    clients: usize,
    /// In the quick form.
    quick_clients: usize,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Echo(Content, usize, Transport),
    Fan(Option<usize>, Pace),
    Recovery,
    Connect(Transport),
    Idle,
    Disconnect,
    Chat,
}

/// What the figure of a scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    CpuPerMessage,
    CpuPerDelivery,
    CpuPerConnection,
    KibPerConnection,
    GivenBack,
    MessagesPerSecond,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuPerMessage => "CPU µs/message",
            Self::CpuPerDelivery => "CPU µs/delivery",
            Self::CpuPerConnection => "CPU µs/connection",
            Self::KibPerConnection => "KiB/connection",
            Self::GivenBack => "% given back",
            Self::MessagesPerSecond => "messages/s",
        }
    }

    pub fn is_better_when_lower(self) -> bool {
        !matches!(self, Self::GivenBack | Self::MessagesPerSecond)
    }
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub extent: Extent,
    /// Instead of the scenario's own number.
    pub clients: Option<usize>,
    pub is_quick: bool,
    /// How long idle clients are held, and how long a server has after a mass disconnect.
    pub hold: Duration,
}

/// What one server was found to be in one round.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub figure: f64,
    /// Messages or connections.
    pub per_second: f64,
    /// Microseconds from sending to receiving: the median and the 99th percentile.
    pub latency: Option<(f64, f64)>,
    /// How much of a core the server was using.
    pub busy: f64,
    pub resident: u64,
    pub faults: Faults,
}

impl Scenario {
    /// All of them, in the order in which they are run.
    pub const ALL: [Self; 17] = [
        Self::echo(
            "echo-1",
            "text of 64 B, 1 in flight",
            Content::Text,
            1,
            Transport::WebSocket,
        ),
        Self::echo(
            "echo-8",
            "text of 64 B, 8 in flight",
            Content::Text,
            8,
            Transport::WebSocket,
        ),
        Self::echo(
            "object",
            "an object of 1 kB, 2 in flight",
            Content::Object,
            2,
            Transport::WebSocket,
        ),
        Self::echo(
            "binary",
            "an attachment of 1 kB, 1 in flight",
            Content::Binary,
            1,
            Transport::WebSocket,
        ),
        Self::fan(
            "broadcast",
            "64 B to all, 4 in flight",
            None,
            Pace::InFlight(4),
        ),
        Self::fan(
            "broadcast-50",
            "64 B to all, 50 a second",
            None,
            Pace::PerSecond(50),
        ),
        Self {
            name: "recovery",
            about: "64 B to all, 4 in flight, with recovery on and off",
            clients: 500,
            quick_clients: 500,
            shape: Shape::Recovery,
        },
        Self::fan(
            "rooms",
            "64 B in rooms of 10, 1 in flight in each",
            Some(10),
            Pace::InFlight(1),
        ),
        Self::echo(
            "polling-1",
            "echo by long-polling, 1 in flight",
            Content::Text,
            1,
            Transport::Polling,
        ),
        Self::echo(
            "polling-8",
            "echo by long-polling, 8 in flight",
            Content::Text,
            8,
            Transport::Polling,
        ),
        Self {
            name: "connect",
            about: "by WebSocket into the main namespace, 64 at a time",
            clients: 5_000,
            quick_clients: 2_000,
            shape: Shape::Connect(Transport::WebSocket),
        },
        Self {
            name: "upgrade",
            about: "by long-polling, then to WebSocket, 64 at a time",
            clients: 2_000,
            quick_clients: 500,
            shape: Shape::Connect(Transport::Upgrade),
        },
        Self {
            name: "idle",
            about: "resident memory of WebSockets that say nothing",
            clients: 5_000,
            quick_clients: 2_000,
            shape: Shape::Idle,
        },
        Self {
            name: "disconnect",
            about: "all leave at once: what of the growth is given back",
            clients: 5_000,
            quick_clients: 5_000,
            shape: Shape::Disconnect,
        },
        Self::chat(
            "durable-50",
            "50 writers: stored, sent to all, acknowledged",
            50,
        ),
        Self::chat(
            "durable-500",
            "500 writers: stored, sent to all, acknowledged",
            500,
        ),
        Self::chat("durable-1", "1 writer: the time of one commit", 1),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name == name)
    }

    const fn echo(
        name: &'static str,
        about: &'static str,
        content: Content,
        in_flight: usize,
        transport: Transport,
    ) -> Self {
        Self {
            name,
            about,
            clients: 100,
            quick_clients: 100,
            shape: Shape::Echo(content, in_flight, transport),
        }
    }

    const fn fan(name: &'static str, about: &'static str, room: Option<usize>, pace: Pace) -> Self {
        Self {
            name,
            about,
            clients: 500,
            quick_clients: 500,
            shape: Shape::Fan(room, pace),
        }
    }

    const fn chat(name: &'static str, about: &'static str, writers: usize) -> Self {
        Self {
            name,
            about,
            clients: writers,
            quick_clients: writers,
            shape: Shape::Chat,
        }
    }

    pub fn unit(&self) -> Unit {
        match self.shape {
            Shape::Echo(..) => Unit::CpuPerMessage,
            Shape::Fan(..) | Shape::Recovery => Unit::CpuPerDelivery,
            Shape::Connect(_) => Unit::CpuPerConnection,
            Shape::Idle => Unit::KibPerConnection,
            Shape::Disconnect => Unit::GivenBack,
            Shape::Chat => Unit::MessagesPerSecond,
        }
    }

    /// Whether a server of this kind knows what the scenario needs.
    pub fn suits(&self, kind: Kind) -> bool {
        match self.shape {
            Shape::Chat => kind == Kind::Chat,
            Shape::Recovery => kind == Kind::Recovery,
            Shape::Echo(_, _, Transport::Polling) | Shape::Connect(Transport::Upgrade) => {
                kind == Kind::SocketIo
            }
            Shape::Idle | Shape::Disconnect => {
                matches!(kind, Kind::SocketIo | Kind::WebSocket | Kind::Memory)
            }
            _ => matches!(kind, Kind::SocketIo | Kind::WebSocket),
        }
    }

    pub fn clients(&self, effort: &Effort) -> usize {
        let own = if effort.is_quick {
            self.quick_clients
        } else {
            self.clients
        };
        effort.clients.unwrap_or(own)
    }

    /// Starts a server, measures it and ends it.
    pub fn measure(
        &self,
        server: &Server,
        effort: &Effort,
        folder: &Path,
        cores: Option<Cores>,
    ) -> io::Result<Sample> {
        let running = server.start(folder, cores)?;
        let process = running.process();
        let clients = self.clients(effort);
        let open = |count, transport| Fleet::open(running.address, count, transport, AT_ONCE);
        match self.shape {
            Shape::Echo(content, in_flight, transport) => {
                let mut load = Echo::new(content, in_flight, clients, effort.extent);
                let cpu = Unit::CpuPerMessage;
                play(&mut load, open(clients, transport)?, process, effort, cpu)
            }
            Shape::Fan(room, pace) => {
                let mut load = Fan::new(room, pace, clients, effort.extent);
                let fleet = open(clients, Transport::WebSocket)?;
                play(&mut load, fleet, process, effort, Unit::CpuPerDelivery)
            }
            Shape::Recovery => {
                let pace = Pace::InFlight(4);
                let mut load = Fan::new(None, pace, clients, effort.extent);
                let fleet = open(clients, Transport::WebSocket)?;
                play(&mut load, fleet, process, effort, Unit::CpuPerDelivery)
            }
            Shape::Chat => {
                let mut load = Chat::new(clients, effort.extent);
                let fleet = open(clients, Transport::WebSocket)?;
                play(&mut load, fleet, process, effort, Unit::MessagesPerSecond)
            }
            Shape::Connect(transport) => {
                drop(open(clients.min(WARM_UP), transport)?);
                connect(process, || open(clients, transport))
            }
            Shape::Idle => {
                drop(open(clients.min(WARM_UP), Transport::WebSocket)?);
                idle(process, effort.hold, || open(clients, Transport::WebSocket))
            }
            Shape::Disconnect => {
                drop(open(clients.min(WARM_UP), Transport::WebSocket)?);
                disconnect(process, effort.hold, || open(clients, Transport::WebSocket))
            }
        }
    }
}

fn play(
    load: &mut dyn Load,
    mut fleet: Fleet,
    process: Process,
    effort: &Effort,
    unit: Unit,
) -> io::Result<Sample> {
    let cost = drive(load, &mut fleet, &process, effort.extent)?;
    if cost.messages == 0 {
        return Err(io::Error::other("not one message came back"));
    }
    let (seconds, cpu) = (cost.elapsed.as_secs_f64(), cost.cpu.as_secs_f64());
    let per_second = cost.messages as f64 / seconds;
    let tally = load.tally();
    Ok(Sample {
        figure: match unit {
            Unit::MessagesPerSecond => per_second,
            _ => cpu * 1e6 / cost.messages as f64,
        },
        per_second,
        latency: Some((tally.latency.quantile(0.5), tally.latency.quantile(0.99))),
        busy: cpu / seconds,
        resident: process.resident()?,
        faults: tally.faults,
    })
}

fn connect(process: Process, open: impl FnOnce() -> io::Result<Fleet>) -> io::Result<Sample> {
    let (begun, cpu) = (now(), process.cpu()?);
    let fleet = open()?;
    let (seconds, count) = (begun.elapsed().as_secs_f64(), fleet.len() as f64);
    let cpu = process.cpu()?.since(cpu).as_secs_f64();
    Ok(Sample {
        figure: cpu * 1e6 / count,
        per_second: count / seconds,
        latency: None,
        busy: cpu / seconds,
        resident: process.resident()?,
        faults: Faults::default(),
    })
}

fn idle(
    process: Process,
    hold: Duration,
    open: impl FnOnce() -> io::Result<Fleet>,
) -> io::Result<Sample> {
    let before = process.resident()?;
    let begun = now();
    let mut fleet = open()?;
    let per_second = fleet.len() as f64 / begun.elapsed().as_secs_f64();
    let cpu = process.cpu()?;
    fleet.rest(hold)?;
    let resident = process.resident()?;
    let cpu = process.cpu()?.since(cpu).as_secs_f64();
    Ok(Sample {
        figure: (resident as f64 - before as f64) / 1024.0 / fleet.len() as f64,
        per_second,
        latency: None,
        busy: cpu / hold.as_secs_f64(),
        resident,
        faults: Faults::default(),
    })
}

/// Every client says something before it goes, so that what is made for that is there.
fn disconnect(
    process: Process,
    hold: Duration,
    open: impl FnOnce() -> io::Result<Fleet>,
) -> io::Result<Sample> {
    let before = process.resident()?;
    let begun = now();
    let mut fleet = open()?;
    let count = fleet.len();
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    let one_each = Extent::Messages(1);
    let mut load = Echo::new(Content::Text, 1, count, one_each);
    drive(&mut load, &mut fleet, &process, one_each)?;
    let highest = process.resident()?;
    let cpu = process.cpu()?;
    drop(fleet);
    std::thread::sleep(hold);
    let after = process.resident()?;
    let cpu = process.cpu()?.since(cpu).as_secs_f64();
    let growth = highest.saturating_sub(before);
    Ok(Sample {
        // With so few clients that nothing grew, nothing can be given back.
        figure: match growth {
            0 => 0.0,
            growth => (highest as f64 - after as f64) / growth as f64 * 100.0,
        },
        per_second,
        latency: None,
        busy: cpu / hold.as_secs_f64(),
        resident: after,
        faults: load.tally().faults,
    })
}

/// How many clients connect at a time.
const AT_ONCE: usize = 64;
/// How many clients come and go before connections are measured.
const WARM_UP: usize = 50;
