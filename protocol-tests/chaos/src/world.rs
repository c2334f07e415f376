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
    pub children: watch::Sender<Children>,
}

/// The clients that are processes of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Children {
    /// How many are not there: not yet, or killed, or held.
    pub asleep: usize,
    /// Nothing more is done to them.
    pub spared: bool,
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

    /// Whether a child may be put to sleep, who is counted as asleep from then on.
    pub fn may_sleep(&self) -> bool {
        self.children.send_if_modified(|children| {
            children.asleep += usize::from(!children.spared);
            !children.spared
        })
    }

    pub fn has_mercy(&self) -> bool {
        self.children.borrow().spared
    }

    /// A child is there.
    pub fn wakes(&self) {
        self.children
            .send_modify(|children| children.asleep = children.asleep.saturating_sub(1));
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
