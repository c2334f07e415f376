//! `Turn`: a transport hands the packets it has read to their session, one after the other.

use std::{mem, sync::Arc, time::Instant};

use super::{Handler, Link, lock};
use crate::{
    error::DecodeError,
    packet::{Message, Packet},
    session::Wire,
};

/// While a transport reads, the right to call the application is given back only when it has read all: so a message takes
/// one lock and not two. Events of other threads wait until the next packet, or the end of the turn.
pub(in crate::server) struct Turn<'a, H: Handler> {
    link: &'a Arc<Link<H>>,
    /// It is this turn for which the link says that a thread is calling the application.
    is_dispatching: bool,
}

impl<'a, H: Handler> Turn<'a, H> {
    pub(in crate::server) fn new(link: &'a Arc<Link<H>>) -> Self {
        Self {
            link,
            is_dispatching: false,
        }
    }

    /// Hands a packet to the session. The answer says whether to read no further for now. The time is asked for if it
    /// matters.
    pub(in crate::server) fn receive(
        &mut self,
        mut now: impl FnMut() -> Instant,
        wire: Wire,
        packet: Result<Packet, DecodeError>,
    ) -> bool {
        let mut core = lock(&self.link.core);
        if !self.is_dispatching {
            core.unpark(wire);
        }
        let is_free = self.is_dispatching || !core.dispatching;
        match packet {
            Ok(packet) if is_free => match core.session.receive_message(&mut now, wire, packet) {
                Ok(message) => {
                    core.dispatching = true;
                    drop(core);
                    return self.hand_on(message);
                }
                Err(packet) => core.session.receive(now(), wire, packet),
            },
            Ok(packet) => core.session.receive(now(), wire, packet),
            Err(error) => core.session.transport_failed(wire, error.into()),
        }
        if mem::take(&mut self.is_dispatching) {
            core.dispatching = false;
        }
        self.link.settle(core)
    }

    /// Hands a message to the application, as an event would.
    fn hand_on(&mut self, message: Message) -> bool {
        let link = self.link;
        self.is_dispatching = true;
        link.call(|| link.engine.handler.on_message(link, message));
        link.is_reading_paused()
    }

    /// Hands out what has come meanwhile. The answer is that of [`receive`](Self::receive).
    pub(in crate::server) fn end(&mut self) -> bool {
        if !mem::take(&mut self.is_dispatching) {
            return false;
        }
        let mut core = lock(&self.link.core);
        core.dispatching = false;
        // Whoever has changed anything else meanwhile has settled that, but for the events.
        if core.session.has_event() {
            return self.link.settle(core);
        }
        core.session.is_reading_paused()
    }
}

impl<H: Handler> Drop for Turn<'_, H> {
    fn drop(&mut self) {
        self.end();
    }
}
