//! `Socket`: a client in a namespace, as handlers see it.

mod life;
mod own;
mod send;

use std::{
    any::{Any, TypeId},
    fmt,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineio::{CloseDetail, CloseReason, Protocol, SendOptions, Sid, Transport};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Link, Server,
    answer::{Answer, Waiter},
    broadcast::{Broadcast, Emitter, IntoRooms},
    handler::Handlers,
    handshake::Handshake,
    listeners::Listeners,
    lock,
    namespace::Namespace,
    phase::Phase,
    recovery::{Data, Returning},
};
use crate::{
    acks::Acks,
    encode::EventPacket,
    error::{DisconnectReason, EmitError, JoinError, TryEmitError},
    parser::Parser,
    rooms::Room,
};

/// A client in one namespace. Cheap to clone; a clone is the same socket.
///
/// It stays usable after its end: then it is in no room, and what would send something returns an error.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: Room,
    namespace: Namespace,
    link: Arc<Link>,
    handlers: Arc<Handlers>,
    auth: Option<Arc<str>>,
    /// Whether emits are taken. Set when the client has its CONNECT reply in the queue, cleared at the end.
    is_connected: AtomicBool,
    /// Guards the socket's life. Held for one transition; the namespace's lock is taken under it once, to let the
    /// socket in. No handler runs under it.
    phase: Mutex<Phase>,
    /// Guards who waits for answers. Nothing is called under it.
    acks: Mutex<Acks<Waiter>>,
    /// The socket's own handlers, from the first of them on.
    listeners: OnceLock<Box<Listeners>>,
    /// Guards what the application keeps, by its type. Nothing is dropped under it.
    data: Mutex<Data>,
    /// With recovery on.
    returning: Option<Box<Returning>>,
}

impl Socket {
    pub(crate) fn new(
        id: Room,
        namespace: Namespace,
        link: Arc<Link>,
        handlers: Arc<Handlers>,
        auth: Option<Arc<str>>,
        returning: Option<Box<Returning>>,
    ) -> Self {
        let data = returning
            .as_ref()
            .map(|returning| returning.data.clone())
            .unwrap_or_default();
        Self(Arc::new(Inner {
            id,
            namespace,
            link,
            handlers,
            auth,
            is_connected: AtomicBool::new(false),
            phase: Mutex::new(Phase::Connecting { rooms: Vec::new() }),
            acks: Mutex::default(),
            listeners: OnceLock::new(),
            data: Mutex::new(data),
            returning,
        }))
    }

    /// The socket's public id. It is also the name of a room that the socket is in from the start. That of a client 2 is
    /// made of the session's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The name of the socket's namespace.
    pub fn namespace(&self) -> &str {
        self.0.namespace.name()
    }

    /// The socket's namespace. That of a dynamic one is a handle like any other: it makes no namespace, and keeps none that
    /// goes with its last socket; what is emitted to one that has gone reaches nobody.
    pub fn nsp(&self) -> Namespace {
        self.0.namespace.clone()
    }

    /// The server that the socket is connected to.
    pub fn server(&self) -> Server {
        Server::of_link(&self.0.link)
    }

    /// Whether the socket is connected. In a middleware it is not yet.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected.load(Ordering::Acquire)
    }

    /// Whether the client was cut off and is the socket again that it was: with its id, its rooms, what was
    /// [kept](Self::set) on it, and the events that it has missed; see [`Recovery`](crate::Recovery). In a middleware,
    /// whether that is about to be.
    pub fn recovered(&self) -> bool {
        let returning = self.0.returning.as_deref();
        returning.is_some_and(Returning::is_recovered)
    }

    /// How the client connected.
    pub fn handshake(&self) -> Handshake {
        Handshake {
            request: self.0.link.data().request.clone(),
            auth: self.0.auth.clone(),
        }
    }

    /// The version of Engine.IO that the client speaks: 3 is that of the clients 2 of Socket.IO.
    pub fn protocol(&self) -> Protocol {
        self.0.link.protocol()
    }

    /// The transport that carries the client's messages now.
    pub fn transport(&self) -> Transport {
        self.0.link.transport()
    }

    /// The id of the session that carries the client's messages: a secret that only the client should know, unlike
    /// [`id`](Self::id). The sockets of one client have it in common.
    pub fn sid(&self) -> Sid {
        self.0.link.sid()
    }

    /// All sockets of this client, one in each namespace that it is in: `client.sockets` of the reference.
    pub fn of_same_client(&self) -> Vec<Self> {
        self.0.link.data().sockets()
    }

    /// What exactly has gone wrong, if the session has ended by the client's fault: the `description` that the reference
    /// hands to handlers of `disconnect`.
    pub fn close_detail(&self) -> Option<CloseDetail> {
        self.0.link.close_detail()
    }

    /// Emits an event to the client.
    ///
    /// The arguments are a tuple or another sequence; `()` is none, and anything else is one. A lone `Vec` is
    /// therefore written `(vec,)`.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be serialized, the event's name is reserved, or the socket is not connected. A client
    /// that is too slow for its messages is closed, and never skipped.
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.emit_with(event, &args, SendOptions::default())
    }

    /// Emits the event `message`; see [`emit`](Self::emit).
    pub fn send(&self, args: impl Serialize) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Emits an event, and waits for the client's answer for at most
    /// [`Config::ack_timeout`](crate::Config::ack_timeout).
    ///
    /// The event is emitted at once; only the answer is awaited. See [`args`](crate::args) for what `T` may be.
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answer<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.ask(event, &args, SendOptions::default(), self.ack_timeout())
    }

    /// Emits a packet made by [`Namespace::encode`] of this socket's namespace, unless that would fill the queue of
    /// the client above a sixteenth of its bound: for producers that prefer to wait, with [`ready`](Self::ready).
    ///
    /// That is enough to keep a client busy, and as little as one that is gone may hold until its absence is noticed:
    /// what such a producer has can be asked for again. A packet larger than that is taken when nothing waits.
    pub fn try_emit(&self, packet: &EventPacket) -> Result<(), TryEmitError> {
        debug_assert!(
            packet.is_for(self.namespace()),
            "packet of another namespace"
        );
        if !self.is_connected() {
            return Err(TryEmitError::Closed);
        }
        if !self.has_room_to_produce(packet.byte_len()) {
            return Err(TryEmitError::Full);
        }
        self.0
            .link
            .push(packet.frames().as_slice())
            .map_err(|_| TryEmitError::Closed)
    }

    /// Waits until nothing is queued for the client any more, or its session is over. Dropping the future has no
    /// effect.
    pub async fn ready(&self) {
        self.0.link.drained().await;
    }

    /// An emitter whose events are dropped if the client cannot take them right now.
    pub fn volatile(&self) -> Emitter {
        Emitter::new(self.clone()).volatile()
    }

    /// An emitter that says whether compressing its events is worth it, as it is by itself. A long-polling body goes as
    /// it is if that holds for none of its packets; WebSockets are not compressed.
    pub fn compress(&self, compress: bool) -> Emitter {
        Emitter::new(self.clone()).compress(compress)
    }

    /// An emitter that waits so long for answers.
    pub fn timeout(&self, timeout: Duration) -> Emitter {
        Emitter::new(self.clone()).timeout(timeout)
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
        Broadcast::new(self.0.namespace.clone()).except(&*self.0.id)
    }

    /// A broadcast to everybody on this node but this socket.
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// Joins rooms. They are left when the socket ends, or when the middlewares refuse it.
    ///
    /// # Errors
    ///
    /// If a bound is reached, or the socket has ended. Rooms before the one in question were joined.
    pub fn join(&self, rooms: impl IntoRooms) -> Result<(), JoinError> {
        let max_rooms = self.0.namespace.config().max_rooms_per_socket;
        for room in rooms.into_rooms() {
            let member = lock(&self.0.phase).join(room.clone(), max_rooms)?;
            if let Some(member) = member {
                self.0.namespace.local_adapter().join(member, self, room)?;
            }
        }
        Ok(())
    }

    /// Leaves rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        for room in rooms.into_rooms() {
            let mut phase = lock(&self.0.phase);
            if let Phase::Connecting { rooms } = &mut *phase {
                rooms.retain(|joined| *joined != room);
            }
            let member = phase.member();
            drop(phase);
            if let Some(member) = member {
                self.0.namespace.local_adapter().leave(member, self, &room);
            }
        }
    }

    /// The rooms that the socket is in.
    pub fn rooms(&self) -> Vec<String> {
        let phase = lock(&self.0.phase);
        let rooms = match (&*phase, phase.member()) {
            (Phase::Connecting { rooms }, _) => rooms.clone(),
            (_, Some(member)) => {
                drop(phase);
                self.0.namespace.local_adapter().rooms_of(member)
            }
            (_, None) => Vec::new(),
        };
        rooms.iter().map(|room| room.to_string()).collect()
    }

    /// Keeps a value on the socket. There is one of each type; an earlier one is replaced.
    pub fn set<T: Send + Sync + 'static>(&self, value: T) {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut new = Some(value);
        let mut data = lock(&self.0.data);
        match data.iter_mut().find(|(id, _)| *id == TypeId::of::<T>()) {
            Some((_, old)) => new = new.map(|new| std::mem::replace(old, new)),
            None => data.extend(new.take().map(|new| (TypeId::of::<T>(), new))),
        }
        drop(data);
        // Only now the old value is dropped, since its type may do anything then.
        drop(new);
        if self.0.returning.is_some() {
            self.store_value(TypeId::of::<T>());
        }
    }

    /// The value of this type that was kept on the socket.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let data = lock(&self.0.data);
        let (_, value) = data.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.clone().downcast().ok()
    }

    /// Disconnects the socket from its namespace, with the reason `server namespace disconnect`. The client's other
    /// namespaces stay.
    pub fn disconnect(&self) {
        if self.is_connected() {
            self.end(DisconnectReason::ServerNamespaceDisconnect);
        }
    }

    /// Disconnects all sockets of this client, then closes its connection.
    pub fn close(&self) {
        let link = &self.0.link;
        link.data().sockets().iter().for_each(Self::disconnect);
        link.close(CloseReason::ForcedClose);
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0.link
    }

    pub(crate) fn handlers(&self) -> &Arc<Handlers> {
        &self.0.handlers
    }

    pub(crate) fn auth(&self) -> Option<&str> {
        self.0.auth.as_deref()
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0.id
    }

    pub(crate) fn namespace_room(&self) -> &Room {
        self.0.namespace.room()
    }

    pub(crate) fn parser(&self) -> Option<&dyn Parser> {
        self.0.namespace.config().parser.as_deref()
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        self.0.namespace.config().ack_timeout
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.namespace())
            .field("is_connected", &self.is_connected())
            .finish()
    }
}
