//! What the application queues for a session, and how.

use std::slice;

use super::{Session, Slot, State};
use crate::{
    error::{CloseReason, PushError},
    handshake::Transport,
    packet::Frame,
};

/// How frames are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOptions {
    /// Whether they are dropped if the transport cannot take them now. Default: `false`.
    pub volatile: bool,
    /// Whether it is worth compressing them; a long-polling body goes as it is if that holds for none of its packets.
    /// Default: `true`.
    pub compress: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            volatile: false,
            compress: true,
        }
    }
}

impl Session {
    /// Queues frames as one unit. A full queue ends the session.
    pub fn send(&mut self, frames: &[Frame]) -> Result<(), PushError> {
        self.send_with(frames, SendOptions::default()).map(drop)
    }

    /// Queues frames as one unit if the transport can take them now; otherwise they are dropped, and the answer is
    /// false. They never overtake anything.
    pub fn send_volatile(&mut self, frames: &[Frame]) -> Result<bool, PushError> {
        let volatile = SendOptions {
            volatile: true,
            ..SendOptions::default()
        };
        self.send_with(frames, volatile)
    }

    /// Queues frames as one unit; the answer says whether they were, which only volatile ones may not be.
    pub fn send_with(&mut self, frames: &[Frame], options: SendOptions) -> Result<bool, PushError> {
        let is_taken = self.takes(frames, options)?;
        if is_taken {
            for frame in frames {
                self.outbox.push_with(frame.clone(), options.compress);
            }
        }
        Ok(is_taken)
    }

    /// The same for a frame that nobody else wants: it is not shared, which would take memory.
    pub fn send_one(&mut self, frame: Frame, options: SendOptions) -> Result<bool, PushError> {
        let is_taken = self.takes(slice::from_ref(&frame), options)?;
        if is_taken {
            self.outbox.push_with(frame, options.compress);
        }
        Ok(is_taken)
    }

    /// The same for several of them, which are one unit.
    pub fn send_all(
        &mut self,
        frames: Vec<Frame>,
        options: SendOptions,
    ) -> Result<bool, PushError> {
        let is_taken = self.takes(&frames, options)?;
        if is_taken {
            for frame in frames {
                self.outbox.push_with(frame, options.compress);
            }
        }
        Ok(is_taken)
    }

    /// Whether frames are queued, and not dropped. A full queue ends the session.
    fn takes(&mut self, frames: &[Frame], options: SendOptions) -> Result<bool, PushError> {
        if self.state != State::Open {
            return Err(PushError::Closed);
        }
        if options.volatile && (!self.is_writable() || !self.outbox.is_empty()) {
            return Ok(false);
        }
        if !self.outbox.fits(frames, self.config.max_buffered_bytes) {
            self.end(CloseReason::SlowConsumer);
            return Err(PushError::Overflow);
        }
        Ok(true)
    }

    /// Whether with so many bytes more the queue holds at most `bound`. An empty queue has room for anything.
    pub fn has_room(&self, bytes: usize, bound: usize) -> bool {
        self.outbox.is_empty() || self.outbox.cost() + bytes <= bound
    }

    /// Whether nothing is queued.
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty()
    }

    /// With each heartbeat, which is seldom, so that a session that has become quiet holds next to nothing.
    pub(super) fn give_memory_back(&mut self) {
        self.outbox.give_back();
        self.events.give_back();
    }

    /// Whether the transport takes something now.
    fn is_writable(&self) -> bool {
        match self.transport {
            Transport::Polling => self.get == Slot::Parked,
            Transport::WebSocket => !self.websocket_blocked,
        }
    }
}
