//! What all who take part in a run share.

use std::net::SocketAddr;

use tokio::sync::watch;

use crate::answer::Contract;
use crate::history::{Facts, Kind, Op, Recorder};
use crate::rng::Rng;

/// A run, as its clients see it.
pub struct World {
    pub seed: u64,
    pub contract: Contract,
    /// Where the server is, by way of the proxy.
    pub proxy: SocketAddr,
    pub history: Recorder,
    pub phase: watch::Sender<Phase>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Faults happen, and writers write.
    Storm,
    /// The last fault is over: writers get rid of what they have, readers read.
    Drain,
    /// Everybody stops.
    Done,
}

impl World {
    pub fn rng(&self, part: &str) -> Rng {
        Rng::of(self.seed, part)
    }

    pub fn note(&self, proc: &str, op: Op, kind: Kind, key: Option<&str>, value: Facts) {
        self.history.note(proc, op, kind, key, value);
    }

    /// The secret by which the server knows an author or a reader.
    pub fn client_id(&self, name: &str) -> Option<String> {
        (self.contract == Contract::Chat).then(|| format!("chaos-{:016x}-{name}", self.seed))
    }

    /// What a message is called on the wire. Where keys are the author's own, all authors use the same.
    pub fn wire_key(&self, key: &str) -> String {
        match (self.contract, key.rsplit_once('-')) {
            (Contract::Chat, Some((_, seq))) => format!("m-{seq}"),
            _ => key.to_owned(),
        }
    }
}
