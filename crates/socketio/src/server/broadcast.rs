//! `Broadcast` and `Emitter`: whom an event goes to and how, said step by step. Each step gives a new value.

use std::time::Duration;

use engineio::SendOptions;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    adapter::{Adapter, AdapterError},
    answer::{Answer, Answers},
    namespace::Namespace,
    remote::RemoteSocket,
    socket::Socket,
};
use crate::{
    encode::Draft,
    error::EmitError,
    rooms::{Room, Target},
};

/// One or several rooms: a name, or a list of names.
pub trait IntoRooms {
    /// The rooms' names.
    fn into_rooms(self) -> Vec<Room>;
}

impl IntoRooms for &str {
    fn into_rooms(self) -> Vec<Room> {
        vec![self.into()]
    }
}

impl IntoRooms for String {
    fn into_rooms(self) -> Vec<Room> {
        vec![self.into()]
    }
}

impl IntoRooms for &String {
    fn into_rooms(self) -> Vec<Room> {
        vec![self.as_str().into()]
    }
}

impl IntoRooms for Room {
    fn into_rooms(self) -> Vec<Room> {
        vec![self]
    }
}

impl<S: AsRef<str>> IntoRooms for &[S] {
    fn into_rooms(self) -> Vec<Room> {
        self.iter().map(|room| room.as_ref().into()).collect()
    }
}

impl<S: AsRef<str>> IntoRooms for Vec<S> {
    fn into_rooms(self) -> Vec<Room> {
        self.as_slice().into_rooms()
    }
}

impl<S: AsRef<str>, const N: usize> IntoRooms for [S; N] {
    fn into_rooms(self) -> Vec<Room> {
        self.as_slice().into_rooms()
    }
}

/// An event for many: to whom, and how.
///
/// Without a room it goes to everybody in the namespace. With several rooms it goes once to each socket that is in any
/// of them. It is encoded once, whatever the number of recipients.
#[derive(Debug, Clone)]
pub struct Broadcast {
    namespace: Namespace,
    target: Target,
    is_volatile: bool,
    is_local: bool,
    compress: bool,
    timeout: Option<Duration>,
}

impl Broadcast {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            target: Target::default(),
            is_volatile: false,
            is_local: false,
            compress: true,
            timeout: None,
        }
    }

    /// Also to these rooms.
    #[must_use]
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        self.target.rooms.extend(rooms.into_rooms());
        self
    }

    /// The same as [`to`](Self::to).
    #[must_use]
    pub fn in_(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Not to sockets in these rooms.
    #[must_use]
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        self.target.except.extend(rooms.into_rooms());
        self
    }

    /// Drops the event for each recipient that cannot take it right now.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Says whether compressing the event is worth it, as it is by itself. A long-polling body goes as it is if that holds
    /// for none of its packets; WebSockets are not compressed.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Only to sockets of this node.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Waits so long for answers, in place of [`Config::ack_timeout`](crate::Config::ack_timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits the event. See [`Socket::emit`] for the arguments.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be serialized, or the event's name is reserved.
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        let draft = Draft::event(event, &args)?.compress(self.compress);
        self.adapter()
            .broadcast(&draft, &self.target, self.is_volatile);
        Ok(())
    }

    /// Emits the event `message`; see [`emit`](Self::emit).
    pub fn send(&self, args: impl Serialize) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Emits the event, and waits for the answer of each recipient.
    ///
    /// There is one result for each, in the order of their arrival. At the deadline those that have not answered are
    /// [`Timeout`]s; without a recipient the list is there at once, and empty. [`Answers::stream`] has them one by one.
    /// More than [`Config::max_ack_responses`](crate::Config::max_ack_responses) answers are not waited for.
    ///
    /// [`Timeout`]: crate::AckError::Timeout
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answers<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let draft = match Draft::event(event, &args) {
            Ok(draft) => draft.compress(self.compress),
            Err(error) => return Answers::failed(error.into()),
        };
        let timeout = self.timeout.unwrap_or(self.namespace.config().ack_timeout);
        let adapter = self.adapter();
        Answers::new(adapter.broadcast_with_ack(&draft, &self.target, self.is_volatile, timeout))
    }

    /// The sockets that the broadcast would reach, in no particular order.
    ///
    /// # Errors
    ///
    /// If the adapter has no answer, for instance because a node is silent; that of one process always has.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, AdapterError> {
        let details = self.adapter().fetch_sockets(&self.target).await?;
        let namespace = &self.namespace;
        let sockets = details.into_iter();
        Ok(sockets
            .map(|found| RemoteSocket::new(found, namespace.clone()))
            .collect())
    }

    /// Lets the sockets that the broadcast would reach join these rooms.
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        self.adapter()
            .add_sockets(&self.target, &rooms.into_rooms());
    }

    /// Lets the sockets that the broadcast would reach leave these rooms.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        self.adapter()
            .del_sockets(&self.target, &rooms.into_rooms());
    }

    /// Disconnects the sockets that the broadcast would reach from the namespace.
    pub fn disconnect_sockets(&self) {
        self.adapter().disconnect_sockets(&self.target, false);
    }

    /// Closes the connections of the sockets that the broadcast would reach.
    pub fn close_sockets(&self) {
        self.adapter().disconnect_sockets(&self.target, true);
    }

    fn adapter(&self) -> &dyn Adapter {
        &**self.namespace.adapter(self.is_local)
    }
}

/// An event for one socket: how.
#[derive(Debug, Clone)]
pub struct Emitter {
    socket: Socket,
    options: SendOptions,
    timeout: Option<Duration>,
}

impl Emitter {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            options: SendOptions::default(),
            timeout: None,
        }
    }

    /// Drops the event if the client cannot take it right now.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.options.volatile = true;
        self
    }

    /// Says whether compressing the event is worth it, as it is by itself. A long-polling body goes as it is if that holds
    /// for none of its packets; WebSockets are not compressed.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.options.compress = compress;
        self
    }

    /// Waits so long for the answer, in place of [`Config::ack_timeout`](crate::Config::ack_timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits the event; see [`Socket::emit`].
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.socket.emit_with(event, &args, self.options)
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
        let timeout = self.timeout.unwrap_or_else(|| self.socket.ack_timeout());
        self.socket.ask(event, &args, self.options, timeout)
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
        let broadcast = self.socket.broadcast();
        Broadcast {
            is_volatile: self.options.volatile,
            compress: self.options.compress,
            timeout: self.timeout,
            ..broadcast
        }
    }

    /// A broadcast to everybody on this node but this socket.
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }
}
