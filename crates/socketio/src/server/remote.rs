//! `RemoteSocket`: a socket that was found on this node or another, and what can be done with it from here.

use std::{any::TypeId, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    adapter::SocketDetails,
    answer::Answer,
    broadcast::{Broadcast, IntoRooms},
    handshake::Handshake,
    namespace::Namespace,
    socket::Socket,
};
use crate::error::EmitError;

/// A socket that [`fetch_sockets`](Broadcast::fetch_sockets) has found, on whichever node. Cheap to clone.
///
/// What it tells is what was so when it was found. What it is told goes to its node, and is for nobody if it has
/// disconnected meanwhile.
#[derive(Debug, Clone)]
pub struct RemoteSocket {
    details: Arc<SocketDetails>,
    namespace: Namespace,
}

impl RemoteSocket {
    pub(crate) fn new(details: SocketDetails, namespace: Namespace) -> Self {
        Self {
            details: Arc::new(details),
            namespace,
        }
    }

    /// The socket's id.
    pub fn id(&self) -> &str {
        &self.details.id
    }

    /// The rooms it was in.
    pub fn rooms(&self) -> &[String] {
        &self.details.rooms
    }

    /// How the client connected.
    pub fn handshake(&self) -> &Handshake {
        &self.details.handshake
    }

    /// The socket itself, if it is on this node.
    pub fn local(&self) -> Option<&Socket> {
        self.details.local.as_ref()
    }

    /// The value of this type that is kept on the socket. Of a socket on another node it is a copy, and only there if
    /// both nodes [share](crate::Config::shared_data) values of this type.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        if let Some(socket) = self.local() {
            return socket.data();
        }
        let shared = &self.namespace.config().shared_data;
        let value = shared.read(TypeId::of::<T>(), &self.details.data)?;
        value.downcast().ok()
    }

    /// Emits an event to it. See [`Socket::emit`] for the arguments.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be serialized, or the event's name is reserved. That nobody has got it is none.
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.only().emit(event, args)
    }

    /// Emits the event `message`; see [`emit`](Self::emit).
    pub fn send(&self, args: impl Serialize) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Emits an event, and waits for the client's answer; see [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answer<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Answer::only(self.only().emit_with_ack(event, args))
    }

    /// An emitter that waits so long for answers.
    pub fn timeout(&self, timeout: Duration) -> RemoteEmitter {
        RemoteEmitter(self.only().timeout(timeout))
    }

    /// An emitter whose events are dropped if the client cannot take them right now.
    pub fn volatile(&self) -> RemoteEmitter {
        RemoteEmitter(self.only().volatile())
    }

    /// An emitter that says whether compressing its events is worth it; see [`Broadcast::compress`].
    pub fn compress(&self, compress: bool) -> RemoteEmitter {
        RemoteEmitter(self.only().compress(compress))
    }

    /// Lets it join rooms.
    pub fn join(&self, rooms: impl IntoRooms) {
        self.only().sockets_join(rooms);
    }

    /// Lets it leave rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        self.only().sockets_leave(rooms);
    }

    /// A broadcast to these rooms, but not to this socket.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl IntoRooms) -> Broadcast {
        self.to(rooms)
    }

    /// A broadcast to everybody but this socket and those in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// A broadcast to everybody in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.namespace.clone()).except(self.id())
    }

    /// Disconnects it from the namespace.
    pub fn disconnect(&self) {
        self.only().disconnect_sockets();
    }

    /// Closes its connection.
    pub fn close(&self) {
        self.only().close_sockets();
    }

    fn only(&self) -> Broadcast {
        Broadcast::new(self.namespace.clone()).to(self.id())
    }
}

/// An event for one socket, on whichever node: how.
#[derive(Debug, Clone)]
pub struct RemoteEmitter(Broadcast);

impl RemoteEmitter {
    /// Drops the event if the client cannot take it right now.
    #[must_use]
    pub fn volatile(self) -> Self {
        Self(self.0.volatile())
    }

    /// Says whether compressing the event is worth it; see [`Broadcast::compress`].
    #[must_use]
    pub fn compress(self, compress: bool) -> Self {
        Self(self.0.compress(compress))
    }

    /// Waits so long for the answer, in place of [`Config::ack_timeout`](crate::Config::ack_timeout).
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Emits the event; see [`RemoteSocket::emit`].
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.0.emit(event, args)
    }

    /// Emits the event `message`; see [`emit`](Self::emit).
    pub fn send(&self, args: impl Serialize) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Emits the event, and waits for the client's answer; see [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answer<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Answer::only(self.0.emit_with_ack(event, args))
    }
}
