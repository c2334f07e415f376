//! The handlers of one socket: how they are registered and taken off, for code that comes from the JS idiom.

use std::{future::Future, sync::Arc};

use serde::de::DeserializeOwned;

use super::Socket;
use crate::{
    Args,
    error::DisconnectReason,
    packet,
    server::{
        event::Event,
        handler::{self, EventHandler, Outcome, OutgoingHandler},
        listeners::{EventListener, Listener, ListenerId, Listeners, Table},
        lock,
        phase::Phase,
    },
};

/// # Handlers of this socket alone
///
/// They come on top of those of the namespace, and are called after them; events of every name first of all. All are let
/// go when the socket ends, so that they may hold it.
impl Socket {
    /// Calls `handler` for each event of this name that this socket gets from now on; see
    /// [`Namespace::on`](crate::Namespace::on).
    ///
    /// # Panics
    ///
    /// If the name is reserved, such as `disconnect`: see [`on_disconnect`](Self::on_disconnect).
    pub fn on<T, F, R>(&self, event: &str, handler: F) -> ListenerId
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.on_event(event, false, handler::event_handler(handler))
    }

    /// Calls `handler` for the next event of this name only, or not at all if its arguments do not fit.
    ///
    /// # Panics
    ///
    /// If the name is reserved.
    pub fn once<T, F, R>(&self, event: &str, handler: F) -> ListenerId
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.on_event(event, true, handler::event_handler(handler))
    }

    /// Takes a handler off that [`on`](Self::on) or [`once`](Self::once) has registered. False if it is not there.
    pub fn off(&self, listener: ListenerId) -> bool {
        self.listeners().is_some_and(|own| own.off(listener))
    }

    /// Takes all handlers of an event off, or with `None` those of every event. The namespace's stay.
    pub fn remove_all_listeners<'a>(&self, event: impl Into<Option<&'a str>>) {
        if let Some(own) = self.listeners() {
            own.off_all(event.into());
        }
    }

    /// The events that this socket has handlers of its own for.
    pub fn event_names(&self) -> Vec<String> {
        self.listeners()
            .map_or_else(Vec::new, Listeners::event_names)
    }

    /// This socket's own handlers of an event, in the order in which they are called.
    pub fn listeners_of(&self, event: &str) -> Vec<ListenerId> {
        self.own_ids(|own| {
            let of_event = own.events.iter().filter(|held| *held.event == *event);
            of_event.map(|held| held.listener.id).collect()
        })
    }

    /// Calls `handler` for each event, whatever its name, which is [`Event::name`]. [`Args`](crate::Args) take all
    /// arguments as they came. It is called before any middleware, and so also for what those drop.
    pub fn on_any<T, F, R>(&self, handler: F) -> ListenerId
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::event_handler(handler);
        self.register(move |own, id| own.any.push(Listener { id, handler }))
    }

    /// The same as [`on_any`](Self::on_any), but before those that are there.
    pub fn prepend_any<T, F, R>(&self, handler: F) -> ListenerId
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::event_handler(handler);
        self.register(move |own, id| own.any.insert(0, Listener { id, handler }))
    }

    /// Takes a handler of all events off, or with `None` every such.
    pub fn off_any(&self, listener: impl Into<Option<ListenerId>>) {
        if let Some(own) = self.listeners() {
            own.off_any(listener.into());
        }
    }

    /// The handlers of all events, in the order in which they are called.
    pub fn listeners_any(&self) -> Vec<ListenerId> {
        self.own_ids(|own| own.any.iter().map(|held| held.id).collect())
    }

    /// Calls `handler` with the name and the arguments of each event that is emitted to this socket from now on, be it
    /// to this one alone or by a broadcast of this node. It is called by whoever emits, once the event is queued, and
    /// should not take long. What [`try_emit`](Self::try_emit) sends was encoded before, and is not seen.
    pub fn on_any_outgoing(
        &self,
        handler: impl Fn(&str, &Args) + Send + Sync + 'static,
    ) -> ListenerId {
        let handler: OutgoingHandler = Arc::new(handler);
        self.register(move |own, id| own.outgoing.push((id, handler)))
    }

    /// The same as [`on_any_outgoing`](Self::on_any_outgoing), but before those that are there.
    pub fn prepend_any_outgoing(
        &self,
        handler: impl Fn(&str, &Args) + Send + Sync + 'static,
    ) -> ListenerId {
        let handler: OutgoingHandler = Arc::new(handler);
        self.register(move |own, id| own.outgoing.insert(0, (id, handler)))
    }

    /// Takes a handler of all outgoing events off, or with `None` every such.
    pub fn off_any_outgoing(&self, listener: impl Into<Option<ListenerId>>) {
        if let Some(own) = self.listeners() {
            own.off_any_outgoing(listener.into());
        }
    }

    /// The handlers of all outgoing events, in the order in which they are called.
    pub fn listeners_any_outgoing(&self) -> Vec<ListenerId> {
        self.own_ids(|own| own.outgoing.iter().map(|(id, _)| *id).collect())
    }

    /// Asks `middleware` about each event before it is delivered: `socket.use` of the reference.
    ///
    /// With an error, or arguments that do not fit, the event goes no further, and the handlers of
    /// [`on_error`](Self::on_error) are told. Middlewares are asked in the order in which they were registered. One that
    /// waits lets later events overtake, as handlers do.
    pub fn use_packet<T, F, R>(&self, middleware: F) -> &Self
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let middleware = handler::event_handler(middleware);
        self.register(move |own, _| own.packet.push(middleware));
        self
    }

    /// Calls `handler` with the error of a [middleware](Self::use_packet) that has dropped an event.
    pub fn on_error<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, String) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::error_handler(handler);
        self.register(move |own, _| own.error.push(handler));
        self
    }

    /// Calls `handler` when the socket is about to disconnect. Until its first await it still sees the rooms.
    pub fn on_disconnecting<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(move |own, _| own.disconnecting.push(handler));
        self
    }

    /// Calls `handler` once the socket has disconnected.
    pub fn on_disconnect<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(move |own, _| own.disconnect.push(handler));
        self
    }

    /// Whether somebody wants to know what is emitted to the socket.
    pub(crate) fn is_watched(&self) -> bool {
        self.listeners()
            .is_some_and(|own| own.read(|table| !table.outgoing.is_empty()))
    }

    /// The socket's own handlers, if it has ever had any.
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        self.0.listeners.get().map(|own| &**own)
    }

    fn own_ids(&self, look: impl FnOnce(&Table) -> Vec<ListenerId>) -> Vec<ListenerId> {
        self.listeners().map_or_else(Vec::new, |own| own.read(look))
    }

    fn on_event(&self, event: &str, is_once: bool, handler: EventHandler) -> ListenerId {
        assert!(
            !packet::is_reserved(event),
            "`{event}` is a reserved event name"
        );
        let event = event.into();
        self.register(move |own, id| {
            own.events.push(EventListener {
                event,
                is_once,
                listener: Listener { id, handler },
            });
        })
    }

    fn register(&self, add: impl FnOnce(&mut Table, ListenerId)) -> ListenerId {
        let own = self.0.listeners.get_or_init(Box::default);
        // Only now: the end of the socket first sets the phase, and then clears the table that it finds.
        let is_over = matches!(*lock(&self.0.phase), Phase::Closed);
        if is_over {
            own.clear();
        }
        own.add(add)
    }
}
