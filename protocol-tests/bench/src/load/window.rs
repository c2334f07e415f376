//! Requests and their answers: each client has some in flight at a time, and sends the next when one is answered.

use std::time::Instant;

use super::Extent;
use crate::tally::{Lane, Tally};

/// The windows of all clients.
pub struct Windows {
    in_flight: usize,
    limit: u64,
    lanes: Vec<Lane>,
}

impl Windows {
    pub fn new(clients: usize, in_flight: usize, extent: Extent) -> Self {
        Self {
            in_flight,
            limit: extent.limit(),
            lanes: (0..clients).map(|_| Lane::default()).collect(),
        }
    }

    pub fn clients(&self) -> usize {
        self.lanes.len()
    }

    /// Numbers the next request of a client, if there is room for one in its window and it may send more.
    pub fn send(&mut self, client: usize, now: Instant) -> Option<u64> {
        let lane = &mut self.lanes[client];
        (lane.waiting() < self.in_flight && lane.sent() < self.limit).then(|| lane.send(now))
    }

    /// Notes an answer.
    pub fn receive(&mut self, client: usize, number: u64, now: Instant, tally: &mut Tally) {
        self.lanes[client].receive(number, now, tally);
    }

    /// How many requests a client has sent; none if there is no such client.
    pub fn sent_by(&self, client: usize) -> u64 {
        self.lanes.get(client).map_or(0, Lane::sent)
    }

    /// How many requests all have sent.
    pub fn sent(&self) -> u64 {
        self.lanes.iter().map(Lane::sent).sum()
    }

    /// How many requests are not answered.
    pub fn waiting(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.waiting() as u64).sum()
    }

    /// Nothing may be sent from here on.
    pub fn stop(&mut self) {
        self.limit = 0;
    }

    /// Whether all that may be sent is sent and answered.
    pub fn is_settled(&self) -> bool {
        let is_settled = |lane: &Lane| lane.waiting() == 0 && lane.sent() >= self.limit;
        self.lanes.iter().all(is_settled)
    }
}
