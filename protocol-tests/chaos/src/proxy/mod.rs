//! The network between clients and server: a TCP proxy that does harm by plan, and none when it is told to be calm.

mod carry;
mod frames;
mod plan;
mod trigger;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::rng::Rng;
pub use plan::{Harm, Tally};
use plan::{Kind, Plan};

/// How a proxy treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// So many of a thousand connections suffer something.
    Mixed(u64),
    /// Each connection is cut while it is told this many stored messages.
    CutReplays(u64),
    /// Each upgrade is hurt, at one of its steps after the other.
    Upgrades,
}

/// A listening proxy, which ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    weather: Weather,
    calm: watch::Sender<bool>,
    // Held to draw a plan or to count one.
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    counts: Counts,
    done: Tally,
}

/// What came by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub connections: u64,
    /// Those that were to become the WebSocket of a session that polled.
    pub upgrades: u64,
    /// How many connections were ended by their harm.
    pub cuts: u64,
}

impl Proxy {
    /// Listens on a free port.
    pub async fn start(server: SocketAddr, weather: Weather, rng: Rng) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            weather,
            calm: watch::Sender::new(false),
            state: Mutex::new(State {
                rng,
                counts: Counts::default(),
                done: Tally::default(),
            }),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing is harmed, and what is broken half-way is broken off.
    pub fn calm(&self) {
        self.shared.calm.send_replace(true);
    }

    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// How often which harm was done where.
    pub fn done(&self) -> Tally {
        self.shared.state().done.clone()
    }

    /// What of this weather was not yet done so many times.
    pub fn missing(&self, times: u64) -> Vec<String> {
        let done = self.done();
        let spots = self.shared.weather.spots().into_iter();
        let all = spots.flat_map(|spot| Harm::ALL.map(|harm| (spot, harm)));
        all.filter(|(spot, harm)| done.of(*spot, *harm) < times)
            .map(|(spot, harm)| format!("{} at {spot}", harm.name()))
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_calm(&self) -> bool {
        *self.calm.borrow()
    }

    fn plan(&self, kind: Kind) -> Option<Plan> {
        let mut state = self.state();
        state.counts.connections += 1;
        state.counts.upgrades += u64::from(kind == Kind::Probe);
        let State { rng, done, .. } = &mut *state;
        match self.is_calm() {
            true => None,
            false => Plan::draw(self.weather, kind, done, rng),
        }
    }

    fn note(&self, plan: &Plan) {
        let mut state = self.state();
        state.counts.cuts += u64::from(plan.harm.cuts());
        state.done.count(plan);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the last of their two sides, and with the runtime.
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            match TcpStream::connect(shared.server).await {
                Ok(server) => carry::carry(client, server, &shared).await,
                // As if nobody listened.
                Err(_) => carry::reset(&client),
            }
        });
    }
}
