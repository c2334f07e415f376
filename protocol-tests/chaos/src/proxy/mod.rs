//! The network between clients and server: a TCP proxy that does harm by plan, and none when it is told to be calm.

mod carry;
mod plan;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::rng::Rng;
use plan::Plan;

/// How a proxy treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// So many of a thousand connections suffer something.
    Mixed(u64),
    /// Each connection is cut while it is told this many stored messages.
    CutReplays(u64),
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
    connections: u64,
    cuts: u64,
    done: BTreeMap<(&'static str, &'static str), u64>,
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
                connections: 0,
                cuts: 0,
                done: BTreeMap::new(),
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

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }

    /// How many connections were ended by their harm.
    pub fn cuts(&self) -> u64 {
        self.shared.state().cuts
    }

    /// How often which harm was done where.
    pub fn done(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.shared.state().done.clone()
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

    fn plan(&self) -> Option<Plan> {
        let mut state = self.state();
        state.connections += 1;
        match self.weather {
            _ if self.is_calm() => None,
            Weather::Mixed(per_mille) => state
                .rng
                .chance(per_mille)
                .then(|| Plan::draw(&mut state.rng)),
            Weather::CutReplays(rows) => Some(Plan::in_replay(&mut state.rng, rows)),
        }
    }

    fn note(&self, plan: &Plan) {
        let what = (plan.harm.name(), plan.place.name());
        let mut state = self.state();
        state.cuts += u64::from(plan.harm.cuts());
        *state.done.entry(what).or_default() += 1;
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
            let plan = shared.plan();
            match TcpStream::connect(shared.server).await {
                Ok(server) => carry::carry(client, server, plan, &shared).await,
                // As if nobody listened.
                Err(_) => carry::reset(&client),
            }
        });
    }
}
