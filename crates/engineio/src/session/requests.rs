//! The long-polling requests of a session: which may begin, and what follows if one may not or is lost.

use super::{Session, Slot, State};
use crate::{error::CloseDetail, handshake::Transport, timer::Timer};

/// Why a long-polling request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRefused {
    /// The session has ended.
    Closed,
    /// The session is not on long-polling.
    Mismatch,
    /// There is such a request already. The session has ended for it.
    Overlap,
}

impl Session {
    /// A GET of this session has arrived; it is parked until there is something to answer.
    pub fn open_poll(&mut self) -> Result<(), RequestRefused> {
        self.check_request()?;
        if self.get == Slot::Parked {
            self.fail(CloseDetail::OverlappingRequests);
            return Err(RequestRefused::Overlap);
        }
        self.timers.stop(Timer::FirstPoll);
        self.get = Slot::Parked;
        Ok(())
    }

    /// The connection of the parked GET was lost. While polling carries the session, this ends it: what was about
    /// to be sent can no longer be known to arrive.
    pub fn abort_poll(&mut self) {
        if self.get == Slot::Parked {
            self.get = Slot::Idle;
            if self.transport == Transport::Polling {
                self.fail(CloseDetail::AbortedPoll);
            }
        }
    }

    /// A POST of this session has arrived; its packets follow, then [`close_post`](Self::close_post).
    pub fn open_post(&mut self) -> Result<(), RequestRefused> {
        self.check_request()?;
        if self.post == Slot::Parked {
            self.fail(CloseDetail::OverlappingRequests);
            return Err(RequestRefused::Overlap);
        }
        self.timers.stop(Timer::FirstPoll);
        self.post = Slot::Parked;
        Ok(())
    }

    /// The POST was answered.
    pub fn close_post(&mut self) {
        self.post = Slot::Idle;
    }

    fn check_request(&self) -> Result<(), RequestRefused> {
        match (self.state, self.transport) {
            (State::Closed(_), _) => Err(RequestRefused::Closed),
            (_, Transport::WebSocket) => Err(RequestRefused::Mismatch),
            _ => Ok(()),
        }
    }
}
