//! The life of a socket: how it is let in, how it ends, and who waits for its answers until then.

use std::sync::atomic::Ordering;

use super::{Inner, Socket};
use crate::{
    Args, encode,
    error::{AckError, DisconnectReason, EmitError},
    rooms::Member,
    server::{
        answer::Waiter,
        connect,
        flow::Flow,
        handler::{HandlerName, start},
        listeners::Table,
        lock,
        phase::{End, Phase},
    },
};

impl Socket {
    /// Notes who waits for the answer with this id.
    pub(crate) fn expect_answer(&self, id: u64, waiter: Waiter) -> Result<(), AckError> {
        let max = self.0.namespace.config().max_pending_acks;
        let mut acks = lock(&self.0.acks);
        // The end of the socket clears the flag before it takes the lock, so nobody is noted after that.
        if !self.is_connected() {
            return Err(EmitError::NotConnected.into());
        }
        acks.insert(id, waiter, max)
            .map_err(|_| AckError::TooManyPending)?;
        drop(acks);
        Flow::begin_ack(&self.0.link);
        Ok(())
    }

    /// An answer has arrived. False if nobody waits for it.
    pub(crate) fn answer(&self, id: u64, answer: Args) -> bool {
        let Some(waiter) = lock(&self.0.acks).take(id) else {
            return false;
        };
        Flow::end_acks(&self.0.link, 1);
        waiter.tell(Ok(answer));
        true
    }

    /// Nobody waits for the answer with this id any more.
    pub(crate) fn forget_answer(&self, id: u64) {
        let waiter = lock(&self.0.acks).take(id);
        if waiter.is_some() {
            Flow::end_acks(&self.0.link, 1);
        }
    }

    /// The middlewares have accepted the socket: lets it into the namespace, with the CONNECT reply before anything
    /// else that it is sent. False if the client has left.
    pub(crate) fn open(&self) -> bool {
        let reply = encode::connect(self.parser(), self.namespace(), self.id());
        let mut phase = lock(&self.0.phase);
        let Phase::Connecting { rooms } = &mut *phase else {
            return false;
        };
        let rooms = std::mem::take(rooms);
        let member = self.0.namespace.local_adapter().insert(self, rooms, &reply);
        *phase = match member {
            Some(member) => Phase::Opening { member, end: None },
            None => Phase::Closed,
        };
        drop(phase);
        self.0.namespace.local_adapter().tell_room_events();
        if member.is_none() {
            self.gone();
        }
        member.is_some()
    }

    /// The middlewares have refused the socket. No handler of it has run, and none will.
    pub(crate) fn refused(&self) {
        let before = std::mem::replace(&mut *lock(&self.0.phase), Phase::Closed);
        // Otherwise the client has left meanwhile.
        if matches!(before, Phase::Connecting { .. }) {
            self.gone();
        }
    }

    /// The namespace has let the socket in, and holds its lock.
    pub(crate) fn set_connected(&self) {
        self.0.is_connected.store(true, Ordering::Release);
    }

    /// The connect handlers have started.
    pub(crate) fn opened(&self) {
        let ended = lock(&self.0.phase).opened();
        if let Some((member, reason)) = ended {
            self.finish(member, reason);
        }
    }

    /// Ends the socket, unless it has ended before.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        let end = lock(&self.0.phase).end(reason);
        match end {
            End::Now(member) => self.finish(member, reason),
            // What is emitted from now on has no effect any more.
            End::Later => self.0.is_connected.store(false, Ordering::Release),
            End::Unheard => self.gone(),
            End::Nothing => {}
        }
    }

    /// Comes once for each socket that was connected.
    fn finish(&self, member: Member, reason: DisconnectReason) {
        let Inner {
            link,
            handlers,
            namespace,
            ..
        } = &*self.0;
        self.0.is_connected.store(false, Ordering::Release);
        if reason == DisconnectReason::ServerNamespaceDisconnect {
            link.data().detach(self, link);
            // If the session is over, the client knows.
            let farewell = encode::disconnect(self.parser(), self.namespace());
            let _ = link.push(farewell.as_slice());
        }
        let own = self.own(|own| own.disconnecting.clone());
        for handler in handlers.disconnecting.iter().chain(&own) {
            let started = start(link, HandlerName::Disconnecting, || {
                Ok(handler(self.clone(), reason))
            });
            debug_assert!(started.is_ok(), "there are no arguments to be wrong");
        }
        namespace.local_adapter().remove(member);
        *lock(&self.0.phase) = Phase::Closed;
        let waiting = lock(&self.0.acks).take_all();
        Flow::end_acks(link, waiting.len());
        waiting.for_each(|waiter| waiter.tell(Err(AckError::Disconnected)));
        tracing::debug!(id = self.id(), namespace = self.namespace(), %reason, "socket disconnected");
        let own = self.own(|own| own.disconnect.clone());
        for handler in handlers.disconnect.iter().chain(&own) {
            let started = start(link, HandlerName::Disconnect, || {
                Ok(handler(self.clone(), reason))
            });
            debug_assert!(started.is_ok(), "there are no arguments to be wrong");
        }
        self.gone();
    }

    /// Some of the socket's own handlers.
    fn own<T: Default>(&self, clone: impl FnOnce(&Table) -> T) -> T {
        self.listeners()
            .map_or_else(T::default, |own| own.read(clone))
    }

    /// The socket is over. It keeps neither its own handlers any longer, which may hold it, nor its namespace from
    /// going. Comes once for each socket.
    fn gone(&self) {
        if let Some(own) = self.listeners() {
            own.clear();
        }
        connect::leave(&self.0.link, &self.0.namespace);
    }
}
