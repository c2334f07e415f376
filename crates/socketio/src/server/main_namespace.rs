//! What a server does for its main namespace, so that `io.emit` reads as it does in JavaScript.

use std::{future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Server,
    adapter::AdapterError,
    answer::Answers,
    broadcast::{Broadcast, IntoRooms},
    event::Event,
    handler::Outcome,
    namespace::Namespace,
    remote::RemoteSocket,
    server_side::ServerEvent,
    socket::Socket,
};
use crate::error::{ConnectError, DisconnectReason, EmitError};

/// # The main namespace
///
/// Each of these is short for the same on `io.of("/")`.
impl Server {
    /// See [`Namespace::on`].
    pub fn on<T, F, R>(&self, event: &str, handler: F) -> &Namespace
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.main.on(event, handler)
    }

    /// See [`Namespace::on_connect`].
    pub fn on_connect<F, R>(&self, handler: F) -> &Namespace
    where
        F: FnOnce(Socket) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.main.on_connect(handler)
    }

    /// See [`Namespace::on_disconnecting`].
    pub fn on_disconnecting<F, R>(&self, handler: F) -> &Namespace
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.main.on_disconnecting(handler)
    }

    /// See [`Namespace::on_disconnect`].
    pub fn on_disconnect<F, R>(&self, handler: F) -> &Namespace
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.main.on_disconnect(handler)
    }

    /// See [`Namespace::middleware`].
    pub fn middleware<T, F, R>(&self, middleware: F) -> &Namespace
    where
        T: DeserializeOwned,
        F: FnOnce(Socket, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), ConnectError>> + Send + 'static,
    {
        self.main.middleware(middleware)
    }

    /// Emits an event to everybody; see [`Broadcast::emit`].
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.main.emit(event, args)
    }

    /// Emits the event `message`; see [`emit`](Self::emit).
    pub fn send(&self, args: impl Serialize) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Emits an event to everybody, and waits for all answers; see [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answers<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.main.emit_with_ack(event, args)
    }

    /// A broadcast to rooms.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.main.to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl IntoRooms) -> Broadcast {
        self.main.in_(rooms)
    }

    /// A broadcast to everybody who is not in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.main.except(rooms)
    }

    /// A broadcast that is dropped for each recipient that cannot take it right now.
    pub fn volatile(&self) -> Broadcast {
        self.main.volatile()
    }

    /// A broadcast that says whether compressing it is worth it; see [`Broadcast::compress`].
    pub fn compress(&self, compress: bool) -> Broadcast {
        self.main.compress(compress)
    }

    /// A broadcast to sockets of this node only.
    pub fn local(&self) -> Broadcast {
        self.main.local()
    }

    /// A broadcast that waits so long for answers.
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        self.main.timeout(timeout)
    }

    /// The sockets of this node; see [`Namespace::sockets`].
    pub fn sockets(&self) -> Vec<Socket> {
        self.main.sockets()
    }

    /// The sockets of all nodes; see [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, AdapterError> {
        self.main.fetch_sockets().await
    }

    /// The rooms there are on all nodes; see [`Namespace::rooms`].
    pub async fn rooms(&self) -> Result<Vec<String>, AdapterError> {
        self.main.rooms().await
    }

    /// How many servers there are, this one included.
    pub async fn server_count(&self) -> Result<usize, AdapterError> {
        self.main.server_count().await
    }

    /// Lets everybody join rooms.
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        self.main.sockets_join(rooms);
    }

    /// Lets everybody leave rooms.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        self.main.sockets_leave(rooms);
    }

    /// Disconnects everybody from the main namespace.
    pub fn disconnect_sockets(&self) {
        self.main.disconnect_sockets();
    }

    /// Closes the connections of everybody in the main namespace.
    pub fn close_sockets(&self) {
        self.main.close_sockets();
    }

    /// Emits an event to the other servers of a cluster; see [`Namespace::server_side_emit`].
    pub fn server_side_emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.main.server_side_emit(event, args)
    }

    /// Emits an event to the other servers of a cluster, and waits for their answers; see
    /// [`Namespace::server_side_emit_with_ack`].
    pub fn server_side_emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answers<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.main.server_side_emit_with_ack(event, args)
    }

    /// Calls `handler` for each event of this name from another server; see [`Namespace::on_server_side`].
    pub fn on_server_side<T, F, R>(&self, event: &str, handler: F) -> &Namespace
    where
        T: DeserializeOwned,
        F: FnOnce(ServerEvent, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.main.on_server_side(event, handler)
    }
}
