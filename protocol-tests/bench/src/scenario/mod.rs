//! The scenarios, and what is found out by them.

mod measure;
mod stored;

use std::time::Duration;

use crate::client::Transport;
use crate::load::{Extent, echo::Content, fan::Pace};
use crate::server::{Kind, PING_INTERVAL};
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
    /// Of a chat, what its database holds.
    pub stored: Option<Stored>,
}

/// What a chat was found to have stored after it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub acknowledged: u64,
    /// Nothing if there is no database, or none in which messages are known to be.
    pub rows: Option<u64>,
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
            about: "memory of silent WebSockets, with a heartbeat a second",
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

    pub fn is_about_memory(&self) -> bool {
        matches!(self.shape, Shape::Idle | Shape::Disconnect)
    }

    /// How often a server asks whether its clients are there: where they say nothing, that is what there is to hold.
    fn ping_interval(&self) -> Duration {
        match self.shape {
            Shape::Idle => Duration::from_secs(1),
            _ => PING_INTERVAL,
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
            _ => matches!(kind, Kind::SocketIo | Kind::WebSocket),
        }
    }

    fn clients(&self, effort: &Effort) -> usize {
        let own = if effort.is_quick {
            self.quick_clients
        } else {
            self.clients
        };
        effort.clients.unwrap_or(own)
    }
}
