//! The numbered events of a namespace: appended at one end, forgotten at the other, found by their number.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    history::Limits,
    offset::{Epoch, Offset},
};
use crate::{
    encode::Frames,
    rooms::{Room, Target},
};

/// Whom an event was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The socket with this id, whatever rooms it is in.
    Socket(Room),
    /// The sockets in rooms.
    Rooms(Target),
}

#[derive(Debug)]
pub(super) struct Log {
    epoch: Epoch,
    /// The number of the oldest entry, or that of the next one if there is none.
    first: u64,
    entries: VecDeque<Entry>,
    cost: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    at: Instant,
    pub(super) address: Address,
    pub(super) frames: Frames,
}

impl Log {
    /// A log whose next event has the number `first`.
    pub(super) fn new(epoch: Epoch, first: u64) -> Self {
        Self {
            epoch,
            first,
            entries: VecDeque::new(),
            cost: 0,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The newest number that was given; 0 if none was.
    pub(super) fn last(&self) -> u64 {
        self.first + self.entries.len() as u64 - 1
    }

    /// The newest number that is gone; 0 if none is.
    pub(super) fn pruned(&self) -> u64 {
        self.first - 1
    }

    pub(super) fn offset(&self, number: u64) -> Offset {
        Offset {
            epoch: self.epoch,
            number,
        }
    }

    pub(super) fn append(&mut self, now: Instant, address: Address, frames: Frames) {
        let entry = Entry {
            at: now,
            address,
            frames,
        };
        self.cost += entry.cost();
        self.entries.push_back(entry);
    }

    /// Forgets what is above the bounds or older than the retention. Linear in what is forgotten.
    pub(super) fn prune(&mut self, now: Instant, limits: &Limits) {
        while let Some(oldest) = self.entries.front()
            && (self.entries.len() > limits.max_packets
                || self.cost > limits.max_bytes
                || is_past(oldest.at, limits.retention, now))
        {
            self.cost -= oldest.cost();
            self.entries.pop_front();
            self.first += 1;
        }
        if self.entries.is_empty() && self.entries.capacity() > KEPT_CAPACITY {
            self.entries = VecDeque::new();
        }
    }

    /// The entries after a number that is not pruned, with their numbers.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skipped = usize::try_from(number - self.pruned()).unwrap_or(usize::MAX);
        (number + 1..).zip(self.entries.iter().skip(skipped))
    }
}

impl Entry {
    /// What it takes of the bound in bytes.
    fn cost(&self) -> usize {
        let rooms = match &self.address {
            Address::Socket(_) => 1,
            Address::Rooms(target) => target.rooms.len() + target.except.len(),
        };
        self.frames.byte_len() + rooms * ROOM + OVERHEAD
    }
}

/// Whether so much time has passed.
pub(super) fn is_past(since: Instant, duration: Duration, now: Instant) -> bool {
    now.saturating_duration_since(since) >= duration
}

/// What an entry takes on top of its bytes, about.
const OVERHEAD: usize = 160;
/// A room's name, which is shared or short.
const ROOM: usize = 48;
/// An empty log gives memory above this many entries back.
const KEPT_CAPACITY: usize = 64;
