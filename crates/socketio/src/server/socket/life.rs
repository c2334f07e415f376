//! The life of a socket: how it is let in, how it ends, and who waits for its answers until then.

use std::{
    any::{Any, TypeId},
    sync::{Arc, atomic::Ordering},
};

use engineio::{CloseReason, Frame, Protocol};

use super::{Inner, Socket};
use crate::{
    Args, encode,
    error::{AckError, DisconnectReason, EmitError},
    recovery::Tenure,
    rooms::Member,
    server::{
        adapter::{Leftovers, NotInserted},
        answer::Waiter,
        connect,
        flow::Flow,
        handler::{DisconnectHandler, HandlerName, start},
        listeners::Table,
        lock,
        phase::{End, Phase},
        recovery::{Data, Value},
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

    /// The middlewares have accepted the socket, or they are not asked if it is recovered: lets it into the namespace,
    /// with the CONNECT reply before anything else that it is sent. If that is refused, nothing has happened, unless the
    /// session is over.
    pub(crate) fn open(&self, must_recover: bool) -> Result<(), NotInserted> {
        let adapter = self.0.namespace.local_adapter();
        if let Some(returning) = &self.0.returning
            && let Some(before) = adapter.predecessor(returning)
        {
            before.is_succeeded();
        }
        // Written before the lock is taken, as types of the user's do that.
        let kept = match &self.0.returning {
            Some(_) if adapter.is_storing_data() => self.kept(),
            _ => Data::new(),
        };
        let values = adapter.values_to_store(&kept);
        let mut phase = lock(&self.0.phase);
        let Phase::Connecting { rooms } = &mut *phase else {
            return Err(NotInserted::SessionOver);
        };
        let rooms = rooms.clone();
        let (inserted, leftovers) = match &self.0.returning {
            None => {
                let reply = match self.protocol() {
                    Protocol::V4 => encode::connect(self.parser(), self.namespace(), self.id()),
                    Protocol::V3 => encode::connect_2(self.parser(), self.namespace()),
                };
                let inserted = adapter.insert(self, rooms, &reply);
                (inserted, Leftovers::default())
            }
            Some(returning) => {
                adapter.insert_returning(self, returning, rooms, values, must_recover)
            }
        };
        match inserted {
            Ok(member) => *phase = Phase::Opening { member, end: None },
            Err(NotInserted::SessionOver) => *phase = Phase::Closed,
            Err(NotInserted::Superseded | NotInserted::NotRecovered) => {}
        }
        drop(phase);
        drop(leftovers);
        adapter.tell_room_events();
        if inserted == Err(NotInserted::SessionOver) {
            self.gone();
        }
        if inserted.is_ok() && adapter.is_storing_data() {
            self.store_what_is_not_in(&kept);
        }
        inserted.map(drop)
    }

    /// While the socket was being let in, others may have been kept on it.
    fn store_what_is_not_in(&self, stored: &Data) {
        for (id, value) in self.kept() {
            if !stored.iter().any(|(_, stored)| Arc::ptr_eq(stored, &value)) {
                self.store_value(id);
            }
        }
    }

    /// The client has come back by another connection, before it was noticed that this one is dead.
    fn is_succeeded(&self) {
        self.end(DisconnectReason::Transport(CloseReason::TransportClose));
        self.0.link.close(CloseReason::TransportClose);
    }

    /// It is not the socket it was, so nothing of that is kept.
    pub(crate) fn is_not_recovered(&self) {
        let Some(returning) = &self.0.returning else {
            return;
        };
        returning.is_lost();
        let is_old = |value: &Arc<dyn Any + Send + Sync>| {
            let mut old = returning.data.iter();
            old.any(|(_, old)| Arc::ptr_eq(old, value))
        };
        // The values live on in `returning`, so nothing is dropped under the lock.
        lock(&self.0.data).retain(|(_, value)| !is_old(value));
    }

    /// What the application keeps on the socket.
    pub(crate) fn kept(&self) -> Data {
        lock(&self.0.data).clone()
    }

    /// Stores a value that is kept on the socket, until what is stored is what is kept: it may have been replaced while
    /// it was written, and the other one stored first.
    pub(super) fn store_value(&self, id: TypeId) {
        let adapter = self.0.namespace.local_adapter();
        let mut stored = None;
        while let Some(value) = self.kept_as(id)
            && !stored.is_some_and(|stored| Arc::ptr_eq(&stored, &value))
        {
            adapter.save_value(self, id, &value);
            stored = Some(value);
        }
    }

    fn kept_as(&self, id: TypeId) -> Option<Value> {
        let data = lock(&self.0.data);
        let found = data.iter().find(|(kept, _)| *kept == id);
        found.map(|(_, value)| value.clone())
    }

    /// What of it other nodes may know, as JSON by key. Calls what is the user's.
    pub(crate) fn shared_data(&self) -> Vec<(String, String)> {
        let shared = &self.0.namespace.config().shared_data;
        if shared.is_empty() {
            return Vec::new();
        }
        let kept = self.kept();
        let values = shared.of(&kept);
        let text = |(key, json): (&str, _)| Some((key.to_owned(), String::from_utf8(json).ok()?));
        values.filter_map(text).collect()
    }

    /// The session of the socket, in a namespace that remembers them.
    pub(crate) fn tenure(&self) -> Option<Tenure> {
        self.0.returning.as_ref()?.tenure()
    }

    pub(crate) fn hold(&self, tenure: Tenure) {
        if let Some(returning) = &self.0.returning {
            returning.hold(tenure);
        }
    }

    /// Whether one more packet of somebody who waits for room leaves the client's queue as empty as it is to be. What
    /// is queued for clients that are gone takes memory until their absence is noticed, and who waits has it still.
    pub(super) fn has_room_to_produce(&self, bytes: usize) -> bool {
        let bound = self.0.namespace.config().engine.max_buffered_bytes / 16;
        self.0.link.has_room(bytes, bound)
    }

    /// Whether frames that are sent at once leave the client's queue at most half full.
    pub(crate) fn has_room_for(&self, frames: &[Frame]) -> bool {
        // As the queue counts.
        let cost = frames.iter().map(|frame| frame.len() + 64).sum();
        let bound = self.0.namespace.config().engine.max_buffered_bytes / 2;
        cost <= bound && self.0.link.has_room(cost, bound)
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
        if !reason.is_recoverable()
            && matches!(end, End::Now(_) | End::Later)
            && self.0.returning.is_some()
        {
            self.0.namespace.local_adapter().end_session(self);
        }
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
        self.tell_reason(
            || HandlerName::Disconnecting,
            [&handlers.disconnecting, &own],
            reason,
        );
        namespace.local_adapter().remove(member, self, reason);
        *lock(&self.0.phase) = Phase::Closed;
        let waiting = lock(&self.0.acks).take_all();
        Flow::end_acks(link, waiting.len());
        waiting.for_each(|waiter| waiter.tell(Err(AckError::Disconnected)));
        tracing::debug!(id = self.id(), namespace = self.namespace(), %reason, "socket disconnected");
        let own = self.own(|own| own.disconnect.clone());
        self.tell_reason(
            || HandlerName::Disconnect,
            [&handlers.disconnect, &own],
            reason,
        );
        self.gone();
    }

    /// Starts the handlers of the namespace, then the socket's own.
    fn tell_reason(
        &self,
        name: fn() -> HandlerName,
        handlers: [&[DisconnectHandler]; 2],
        reason: DisconnectReason,
    ) {
        for handler in handlers.into_iter().flatten() {
            let started = start(&self.0.link, name, || Ok(handler(self.clone(), reason)));
            debug_assert!(started.is_ok(), "there are no arguments to be wrong");
        }
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
        if let Some(returning) = &self.0.returning {
            self.0.namespace.local_adapter().give_up(returning);
        }
        connect::leave(&self.0.link, &self.0.namespace);
    }
}
