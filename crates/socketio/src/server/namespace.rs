//! `Namespace`: handlers and middlewares are registered on it, and everybody in it can be reached.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Config,
    adapter::{Adapter, AdapterError, LocalAdapter},
    answer::Answers,
    broadcast::{Broadcast, IntoRooms, RemoteSocket},
    event::Event,
    handler::{self, Handlers, Outcome},
    lock,
    socket::Socket,
};
use crate::{
    encode::EventPacket,
    error::{ConnectError, DisconnectReason, EmitError, EncodeError},
    packet,
    rooms::{Room, Target},
};

/// A namespace of a server. Cheap to clone; a clone is the same namespace.
///
/// Handlers are async closures or functions. They are called in the order in which the events arrive, and run up to
/// their first await before the next one is called. What is registered takes effect for sockets that connect later.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Room,
    config: Arc<Config>,
    /// Guards which set of handlers is the present one; the set itself never changes once a socket has it.
    handlers: Mutex<Arc<Handlers>>,
    local: Arc<LocalAdapter>,
    adapter: Arc<dyn Adapter>,
}

impl Namespace {
    pub(crate) fn new(name: Room, config: Arc<Config>) -> Self {
        let local = Arc::new(LocalAdapter::new(name.clone(), &config));
        let adapter = match &config.adapter {
            Some(factory) => factory.make(local.clone()),
            None => local.clone(),
        };
        Self(Arc::new(Inner {
            name,
            config,
            handlers: Mutex::default(),
            local,
            adapter,
        }))
    }

    /// The namespace's name. It begins with a slash.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Calls `handler` for each event of this name.
    ///
    /// `T` is what the arguments are parsed into, see [`args`](crate::args); a handler whose type they do not fit is
    /// skipped. Several handlers of one event are called in the order in which they were registered.
    ///
    /// # Panics
    ///
    /// If the name is reserved, such as `disconnect`, since no such event ever arrives.
    pub fn on<T, F, R>(&self, event: &str, handler: F) -> &Self
    where
        T: DeserializeOwned,
        F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        assert!(
            !packet::is_reserved(event),
            "`{event}` is a reserved event name"
        );
        let handler = handler::event_handler(handler);
        self.register(|handlers| {
            handlers
                .events
                .entry(event.into())
                .or_default()
                .push(handler)
        })
    }

    /// Calls `handler` for each socket that has connected, before any other handler of that socket.
    pub fn on_connect<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::connect_handler(handler);
        self.register(|handlers| handlers.connect.push(handler))
    }

    /// Calls `handler` for each socket that is about to disconnect. Until its first await it still sees the socket's
    /// rooms.
    pub fn on_disconnecting<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(|handlers| handlers.disconnecting.push(handler))
    }

    /// Calls `handler` once for each socket that has disconnected.
    pub fn on_disconnect<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(|handlers| handlers.disconnect.push(handler))
    }

    /// Asks `middleware` whether a client may join the namespace, before it does.
    ///
    /// `T` is what the client's auth payload is parsed into: `()` takes any, and an `Option` tells whether there was
    /// one. Middlewares run in the order in which they were registered, and all together for at most
    /// [`Config::connect_handler_timeout`](crate::Config::connect_handler_timeout). The first error is what the
    /// client gets.
    pub fn middleware<T, F, R>(&self, middleware: F) -> &Self
    where
        T: DeserializeOwned,
        F: FnOnce(Socket, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), ConnectError>> + Send + 'static,
    {
        let middleware = handler::middleware(middleware);
        self.register(|handlers| handlers.middlewares.push(middleware))
    }

    /// Emits an event to everybody; see [`Broadcast::emit`].
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.everybody().emit(event, args)
    }

    /// Emits an event to everybody, and waits for all answers; see [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answers<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.everybody().emit_with_ack(event, args)
    }

    /// Encodes an event once, to be emitted to any socket of this namespace by [`Socket::try_emit`]. It may be kept
    /// for as long as one likes, and takes little more memory than its bytes.
    pub fn encode(&self, event: &str, args: impl Serialize) -> Result<EventPacket, EncodeError> {
        EventPacket::new(self.name(), event, &args)
    }

    /// A broadcast to rooms.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.everybody().to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl IntoRooms) -> Broadcast {
        self.to(rooms)
    }

    /// A broadcast to everybody who is not in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.everybody().except(rooms)
    }

    /// A broadcast that is dropped for each recipient that cannot take it right now.
    pub fn volatile(&self) -> Broadcast {
        self.everybody().volatile()
    }

    /// A broadcast to sockets of this node only.
    pub fn local(&self) -> Broadcast {
        self.everybody().local()
    }

    /// A broadcast that waits so long for answers.
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        self.everybody().timeout(timeout)
    }

    /// The sockets of this node.
    pub fn sockets(&self) -> Vec<Socket> {
        self.0.local.sockets(&Target::default())
    }

    /// The socket of this node that has this id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.0.local.socket(id)
    }

    /// The sockets of all nodes; see [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, AdapterError> {
        self.everybody().fetch_sockets().await
    }

    /// Lets everybody join rooms.
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        self.everybody().sockets_join(rooms);
    }

    /// Lets everybody leave rooms.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        self.everybody().sockets_leave(rooms);
    }

    /// Disconnects everybody from the namespace.
    pub fn disconnect_sockets(&self) {
        self.everybody().disconnect_sockets();
    }

    /// The sockets and rooms of this process.
    pub fn local_adapter(&self) -> &Arc<LocalAdapter> {
        &self.0.local
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0.name
    }

    pub(crate) fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.0.adapter
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// The present handlers.
    pub(crate) fn handlers(&self) -> Arc<Handlers> {
        lock(&self.0.handlers).clone()
    }

    fn everybody(&self) -> Broadcast {
        Broadcast::new(self.clone())
    }

    fn register(&self, change: impl FnOnce(&mut Handlers)) -> &Self {
        change(Arc::make_mut(&mut lock(&self.0.handlers)));
        self
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.name()).finish()
    }
}
