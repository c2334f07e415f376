//! The events of a session that is watched: each packet, in and out, and the steps of an upgrade.

use super::{Event, Session};
use crate::packet::{Frame, Packet};

impl Session {
    /// Makes an event of each packet and each step from now on, besides those that there are anyway.
    pub fn watch(&mut self) {
        self.is_watched = true;
    }

    pub(super) fn note_packet(&mut self, packet: &Packet) {
        if self.is_watched {
            self.events
                .push_back(Event::Packet(Box::new(packet.clone())));
        }
    }

    pub(super) fn note_upgrading(&mut self) {
        if self.is_watched {
            self.events.push_back(Event::Upgrading);
        }
    }

    /// These frames were taken to be written.
    pub(super) fn note_flush(&mut self, frames: &[Frame]) {
        if !self.is_watched || frames.is_empty() {
            return;
        }
        // Nothing comes behind the end.
        let end = match self.events.back() {
            Some(Event::Closed { .. }) => self.events.pop_back(),
            _ if self.is_closed() => return,
            _ => None,
        };
        self.events.push_back(Event::Flushed(frames.into()));
        if self.outbox.is_empty() {
            self.events.push_back(Event::Drained);
        }
        if let Some(end) = end {
            self.events.push_back(end);
        }
    }
}
