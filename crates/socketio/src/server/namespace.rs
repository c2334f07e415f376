//! `Namespace`: handlers and middlewares are registered on it, and everybody in it can be reached.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt, future::Shared};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Config,
    adapter::{Adapter, AdapterError, BoxFuture, LocalAdapter},
    answer::Answers,
    broadcast::{Broadcast, IntoRooms},
    children::{Children, ChildrenAdapter},
    event::Event,
    handler::{self, Handlers, Outcome},
    lock,
    remote::RemoteSocket,
    server_side::ServerEvent,
    socket::Socket,
};
use crate::{
    encode::{Draft, EventPacket},
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
    /// The same for this node alone.
    near: Arc<dyn Adapter>,
    kin: Kin,
    /// The end of the adapter, for all who wait for it.
    closing: OnceLock<Shared<BoxFuture<()>>>,
}

/// Whether the namespace is one of a family.
enum Kin {
    None,
    Child,
    Parent(Arc<Children>),
}

impl Namespace {
    pub(crate) fn new(name: Room, config: Arc<Config>, is_child: bool) -> Self {
        let local = Arc::new(LocalAdapter::new(name.clone(), &config));
        let adapter = match &config.adapter {
            Some(factory) => factory.make(local.clone()),
            None => local.clone(),
        };
        Self(Arc::new(Inner {
            name,
            config,
            handlers: Mutex::default(),
            near: local.clone(),
            local,
            adapter,
            kin: if is_child { Kin::Child } else { Kin::None },
            closing: OnceLock::new(),
        }))
    }

    /// A namespace that nobody is in: what is done with it is done with its children.
    pub(crate) fn parent(name: Room, config: Arc<Config>) -> Self {
        let children = Arc::new(Children::default());
        Self(Arc::new(Inner {
            local: Arc::new(LocalAdapter::new(name.clone(), &config)),
            name,
            config,
            handlers: Mutex::default(),
            adapter: Arc::new(ChildrenAdapter::new(children.clone(), false)),
            near: Arc::new(ChildrenAdapter::new(children.clone(), true)),
            kin: Kin::Parent(children),
            closing: OnceLock::new(),
        }))
    }

    /// The namespace's name. It begins with a slash.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Calls `handler` for each event of this name.
    ///
    /// `T` is what the arguments are parsed into, see [`args`](crate::args): an owned type, such as `(String,)` and not
    /// `(&str,)`. A handler whose type they do not fit is skipped, which is logged as a warning the first time. Several handlers of one event are called in the order in which they were registered.
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
                .push(handler.clone());
        })
    }

    /// Calls `handler` for each socket that has connected, before any other handler of that socket.
    pub fn on_connect<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::connect_handler(handler);
        self.register(|handlers| handlers.connect.push(handler.clone()))
    }

    /// Calls `handler` for each socket that is about to disconnect. Until its first await it still sees the socket's
    /// rooms.
    pub fn on_disconnecting<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(|handlers| handlers.disconnecting.push(handler.clone()))
    }

    /// Calls `handler` once for each socket that has disconnected.
    pub fn on_disconnect<F, R>(&self, handler: F) -> &Self
    where
        F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler = handler::disconnect_handler(handler);
        self.register(|handlers| handlers.disconnect.push(handler.clone()))
    }

    /// Asks `middleware` whether a client may join the namespace, before it does.
    ///
    /// `T` is what the client's auth payload is parsed into: `()` takes any, and an `Option` tells whether there was
    /// one. A client whose payload does not fit is refused with `invalid auth`, and the log has the reason, at level
    /// `trace` as it quotes the payload. Middlewares run in the order in which they were registered, and all together for at most
    /// [`Config::connect_handler_timeout`](crate::Config::connect_handler_timeout). The first error is what the
    /// client gets.
    pub fn middleware<T, F, R>(&self, middleware: F) -> &Self
    where
        T: DeserializeOwned,
        F: FnOnce(Socket, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), ConnectError>> + Send + 'static,
    {
        let middleware = handler::middleware(middleware);
        self.register(|handlers| handlers.middlewares.push(middleware.clone()))
    }

    /// Emits an event to everybody; see [`Broadcast::emit`].
    pub fn emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.everybody().emit(event, args)
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
        self.everybody().emit_with_ack(event, args)
    }

    /// Emits an event to the other servers of a cluster, and to no client. Without an adapter for several nodes nobody is
    /// there, and nothing happens.
    pub fn server_side_emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        let draft = Draft::event(event, &args)?;
        self.adapter(false).server_side_emit(&draft);
        Ok(())
    }

    /// Emits an event to the other servers of a cluster, and waits for the answer of each for at most
    /// [`Config::ack_timeout`](crate::Config::ack_timeout). Without an adapter for several nodes nobody is there, and there
    /// are no answers.
    pub fn server_side_emit_with_ack<T>(&self, event: &str, args: impl Serialize) -> Answers<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let draft = match Draft::event(event, &args) {
            Ok(draft) => draft,
            Err(error) => return Answers::failed(error.into()),
        };
        let timeout = self.0.config.ack_timeout;
        Answers::new(
            self.adapter(false)
                .server_side_emit_with_ack(&draft, timeout),
        )
    }

    /// Calls `handler` for each event of this name that another server emits by
    /// [`server_side_emit`](Self::server_side_emit): `io.on` of the reference.
    pub fn on_server_side<T, F, R>(&self, event: &str, handler: F) -> &Self
    where
        T: DeserializeOwned,
        F: FnOnce(ServerEvent, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        self.0.local.server_side().on(event, handler);
        self
    }

    /// Encodes an event once, to be emitted to any socket of this namespace by [`Socket::try_emit`]. It may be kept
    /// for as long as one likes, and takes little more memory than its bytes.
    ///
    /// With [recovery](crate::Config::connection_state_recovery) on, such an event is not sent again to a client that was
    /// cut off; and one whose last argument is a string gets a further one, `null`.
    pub fn encode(&self, event: &str, args: impl Serialize) -> Result<EventPacket, EncodeError> {
        let namespace = self.room().clone();
        let parser = self.0.config.parser.as_deref();
        if self.0.config.connection_state_recovery.is_some() {
            EventPacket::without_offset(parser, namespace, event, &args)
        } else {
            EventPacket::new(parser, namespace, event, &args)
        }
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

    /// A broadcast that says whether compressing it is worth it; see [`Broadcast::compress`].
    pub fn compress(&self, compress: bool) -> Broadcast {
        self.everybody().compress(compress)
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
        match &self.0.kin {
            Kin::Parent(children) => children.all().iter().flat_map(Self::sockets).collect(),
            Kin::Child | Kin::None => self.0.local.sockets(&Target::default()),
        }
    }

    /// The socket of this node that has this id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        match &self.0.kin {
            Kin::Parent(children) => children.all().iter().find_map(|child| child.socket(id)),
            Kin::Child | Kin::None => self.0.local.socket(id),
        }
    }

    /// The sockets of all nodes; see [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, AdapterError> {
        self.everybody().fetch_sockets().await
    }

    /// The rooms there are on all nodes, each once, not counting those that sockets are in by their id. Those of this
    /// node are [`LocalAdapter::rooms`].
    ///
    /// # Errors
    ///
    /// As those of [`Broadcast::fetch_sockets`].
    pub async fn rooms(&self) -> Result<Vec<String>, AdapterError> {
        self.adapter(false).list_rooms().await
    }

    /// How many servers there are, this one included.
    ///
    /// # Errors
    ///
    /// As those of [`Broadcast::fetch_sockets`].
    pub async fn server_count(&self) -> Result<usize, AdapterError> {
        self.adapter(false).server_count().await
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

    /// Closes the connections of everybody, and so takes them out of their other namespaces too.
    pub fn close_sockets(&self) {
        self.everybody().close_sockets();
    }

    /// The sockets and rooms of this process. A parent has none of its own.
    pub fn local_adapter(&self) -> &Arc<LocalAdapter> {
        &self.0.local
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0.name
    }

    /// Who carries out what concerns several sockets, on all nodes or on this one.
    pub(crate) fn adapter(&self, is_local: bool) -> &Arc<dyn Adapter> {
        if is_local {
            &self.0.near
        } else {
            &self.0.adapter
        }
    }

    /// The namespace, or the server, is at its end: closes the adapter, once for all who ask.
    pub(crate) fn close_adapter(&self) -> impl Future<Output = ()> + Send + use<> {
        let close = || self.0.adapter.close().shared();
        self.0.closing.get_or_init(close).clone()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the namespace has a parent.
    pub(crate) fn is_child(&self) -> bool {
        matches!(self.0.kin, Kin::Child)
    }

    /// A new namespace becomes a child of this parent, with the parent's handlers and middlewares.
    pub(crate) fn adopt(&self, child: &Self) {
        if let Kin::Parent(children) = &self.0.kin {
            children.add(child, || *lock(&child.0.handlers) = self.handlers());
        }
    }

    /// A child has gone.
    pub(crate) fn disown(&self, child: &Self) {
        if let Kin::Parent(children) = &self.0.kin {
            children.remove(child);
        }
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

    fn register(&self, change: impl Fn(&mut Handlers)) -> &Self {
        let register_here = || change(Arc::make_mut(&mut lock(&self.0.handlers)));
        let Kin::Parent(children) = &self.0.kin else {
            register_here();
            return self;
        };
        children.with_all(|children| {
            let before = self.handlers();
            register_here();
            let now = self.handlers();
            for child in children {
                let mut handlers = lock(&child.0.handlers);
                if Arc::ptr_eq(&handlers, &before) {
                    // A child without handlers of its own shares the parent's.
                    *handlers = now.clone();
                } else {
                    change(Arc::make_mut(&mut handlers));
                }
            }
        });
        self
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.name()).finish()
    }
}
