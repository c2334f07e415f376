//! What everybody in a run stands on: the clock, the network and the record.

use std::time::{Duration, Instant};

use chaos::history::{Facts, Kind, Op};

use crate::agenda::Agenda;
use crate::network::{ConnId, Network};
use crate::plant::Plant;
use crate::record::Record;

/// The parts of a run that clients and the server share.
pub struct Stage {
    pub seed: u64,
    pub agenda: Agenda,
    pub network: Network,
    pub record: Record,
    pub plant: Option<Plant>,
    /// What the clocks of clients count from.
    pub began: Instant,
    /// No client begins anything new.
    pub is_ending: bool,
}

impl Stage {
    /// The time as a session of a client wants it.
    pub fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.agenda.now)
    }

    pub fn note(&mut self, proc: &str, op: Op, kind: Kind, key: Option<&str>, value: Facts) {
        self.record
            .note(self.agenda.now, proc, op, kind, key, value);
    }

    pub fn connect(&mut self, client: usize) -> ConnId {
        self.network
            .connect(client, &mut self.agenda, &mut self.record)
    }

    pub fn send(&mut self, id: ConnId, bytes: Vec<u8>) {
        self.record.trace(&[4, id, bytes.len() as u64]);
        self.network
            .send(id, bytes, &mut self.agenda, &mut self.record);
    }
}
