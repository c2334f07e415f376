//! The server: a `Server` has namespaces, and is mounted in a hyper, axum or tower program or served alone.

pub mod adapter;
mod answer;
mod broadcast;
mod children;
mod client_bundle;
mod collector;
mod config;
mod connect;
mod connection;
mod counters;
mod details;
mod dispatch;
mod error;
mod event;
mod flow;
mod handler;
mod handshake;
mod listeners;
mod main_namespace;
mod memory;
mod mismatches;
mod namespace;
mod namespaces;
mod phase;
mod recovery;
mod remote;
mod room_events;
mod server_side;
mod socket;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(unix)]
mod unix;

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineio::{
    CloseReason, Message, Sid,
    server::{Engine, Listener},
};
use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, ToSocketAddrs};

pub use self::{
    answer::{Answer, AnswerFrom, AnswerStream, Answers},
    broadcast::{Broadcast, Emitter, IntoRooms},
    client_bundle::ClientBundle,
    config::Config,
    connection::Connection,
    counters::Counters,
    error::Error,
    event::Event,
    handler::Outcome,
    handshake::Handshake,
    listeners::ListenerId,
    namespace::Namespace,
    recovery::{Recovery, StoredData},
    remote::{RemoteEmitter, RemoteSocket},
    server_side::ServerEvent,
    socket::Socket,
};
use self::{
    counters::LiveCounters,
    handshake::HandshakeRequest,
    mismatches::Mismatches,
    namespaces::{Namespaces, Predicate},
};
use crate::{error::DisconnectReason, packet::Limits};

/// A Socket.IO server. Cheap to clone; a clone is the same server.
///
/// What it has in common with a [`Namespace`], it does for the main one, `/`.
#[derive(Clone)]
pub struct Server {
    engine: Arc<Engine<Protocol>>,
    main: Namespace,
}

/// The server as a service for hyper and tower. Requests of other paths are answered with status 404.
pub type Service = engineio::server::Service<Protocol>;

/// The server as a tower layer: requests of its path go to it, the others pass through.
pub type Layer = engineio::server::Layer<Protocol>;

impl Server {
    /// A server with the reference's defaults.
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    /// A server with options.
    pub fn with_config(config: Config) -> Self {
        let engine_config = engineio::Config {
            admission_timeout: Some(config.connect_timeout),
            ..config.engine.clone()
        };
        let hooks = match &config.serve_client {
            Some(bundle) => config
                .hooks
                .clone()
                .static_files(bundle.clone().into_files()),
            None => config.hooks.clone(),
        };
        let config = Arc::new(config);
        let main = Namespace::new("/".into(), config.clone(), false);
        let counters = Arc::new(LiveCounters::default());
        let limits = config.limits();
        let protocol = Protocol {
            limits_2: limits.with_query(),
            limits,
            namespaces: Namespaces::new(main.clone(), config.clone(), counters.clone()),
            config,
            is_closing: AtomicBool::new(false),
            counters,
            mismatches: Mismatches::default(),
        };
        main.adapter(false).init();
        Self {
            engine: Engine::with_hooks(engine_config, hooks, protocol),
            main,
        }
    }

    /// The namespace of this name, which is made to stay if there is none. Names begin with a slash; it is added where it
    /// is missing.
    ///
    /// For the namespace of a socket there is [`Socket::nsp`]: the name of one that clients have brought about, and that has
    /// gone meanwhile, would here make another one, for good.
    pub fn of(&self, name: &str) -> Namespace {
        let name = format!("/{}", name.strip_prefix('/').unwrap_or(name));
        self.engine.handler().namespaces.of(&name)
    }

    /// Lets clients bring about namespaces: those whose names the predicate accepts, unless one that was registered
    /// earlier does. A client's name begins with a slash.
    ///
    /// What is returned is their parent. Its handlers and middlewares are those of all children, and what is emitted to
    /// it reaches all of them; it may not [encode](Namespace::encode). A child has its own rooms, and may get further
    /// handlers, best from [`on_new_namespace`](Self::on_new_namespace): with the default of
    /// [`Config::cleanup_empty_child_namespaces`] it goes with its last socket, and with it what was registered on it. A
    /// child that was made by [`of`](Self::of) stays.
    ///
    /// ```
    /// # use socketio::{Server, Socket};
    /// # let io = Server::new();
    /// let tenants = io.of_matching(|name| name.starts_with("/tenant-"));
    /// tenants.on_connect(async |socket: Socket| println!("somebody in {}", socket.namespace()));
    /// tenants.emit("news", ("for everybody in any of them",))?;
    /// # Ok::<(), socketio::EmitError>(())
    /// ```
    pub fn of_matching(
        &self,
        predicate: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Namespace {
        let predicate = Predicate::Now(Box::new(predicate));
        self.engine.handler().namespaces.add_parent(predicate)
    }

    /// The same with a predicate that may wait for something. It also gets the client's auth payload, parsed as a
    /// [middleware](Namespace::middleware) gets it; where that does not fit, it is not asked, and does not accept.
    ///
    /// It is asked when a client wants a namespace that is not there, all predicates together for at most
    /// [`Config::connect_handler_timeout`]; it is not asked by [`of`](Self::of).
    ///
    /// ```
    /// # use socketio::Server;
    /// # async fn is_known(tenant: &str) -> bool { tenant == "acme" }
    /// # let io = Server::new();
    /// io.of_matching_async(async |name: String, ()| match name.strip_prefix("/tenant-") {
    ///     Some(tenant) => is_known(tenant).await,
    ///     None => false,
    /// });
    /// ```
    pub fn of_matching_async<T, F, R>(&self, predicate: F) -> Namespace
    where
        T: DeserializeOwned,
        F: FnOnce(String, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        let predicate = Predicate::later(predicate);
        self.engine.handler().namespaces.add_parent(predicate)
    }

    /// The namespaces there are now, in no particular order: those made by [`of`](Self::of), and those that clients have
    /// brought about.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.engine.handler().namespaces.all()
    }

    /// Calls `hook` with each namespace that is made from now on, whether by [`of`](Self::of) or by a client.
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) -> &Self {
        self.engine.handler().namespaces.add_hook(Arc::new(hook));
        self
    }

    /// The server as a hyper and tower service: for hyper's `serve_connection`, `with_upgrades`, or for axum's
    /// `route_service`, there once for `/socket.io/` and once for `/socket.io/{*rest}`, where the scripts of
    /// [`Config::serve_client`] are. [`layer`](Self::layer) is shorter, and follows the configured path.
    pub fn service(&self) -> Service {
        self.engine.service()
    }

    /// The server as a tower layer in front of any other service, such as axum's `Router::layer`. All that is below the
    /// server's path goes to it, the scripts included.
    pub fn layer(&self) -> Layer {
        self.engine.layer()
    }

    /// Serves on an address until [`close`](Self::close) is called. Other paths than the server's are answered with
    /// status 404.
    ///
    /// Connections are on the runtime of the caller, or on threads of their own with one runtime each, as
    /// [`workers`](engineio::Config::workers) says:
    ///
    /// ```no_run
    /// use socketio::{Config, Server, engineio};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let io = Server::with_config(Config {
    ///     // One for each core.
    ///     engine: engineio::Config { workers: Some(0), ..Config::engine() },
    ///     ..Config::default()
    /// });
    /// io.serve("0.0.0.0:3000").await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or a worker not be started.
    pub async fn serve(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        self.serve_listener(TcpListener::bind(address).await?).await
    }

    /// Serves connections of a listener until [`close`](Self::close) is called: of a TCP port, a Unix socket, or either
    /// behind `Tls`.
    pub async fn serve_listener(&self, listener: impl Listener) -> io::Result<()> {
        // As the reference does; a port of Engine.IO alone answers other paths with 501.
        self.engine.serve_with(listener, self.service()).await
    }

    /// Takes no more sessions from now on; those there are go on. The first step of an orderly stop: see
    /// [`drain`](Self::drain) for the next, and [`close`](Self::close) for the last.
    pub fn refuse_sessions(&self) {
        self.engine.refuse_sessions();
    }

    /// Takes no more sessions, and closes the connections there are one by one, in random order, over this time: for the
    /// stop of a server with many clients, which would otherwise all come back at the same moment. Sockets are
    /// disconnected with the reason `server shutting down` when it is their turn, after what is queued for them was sent.
    ///
    /// No DISCONNECT is sent, so that the official clients see a `transport close` and connect again by themselves.
    /// Returns when the last one has been asked to close, or all have left; [`close`](Self::close) comes behind it. If the
    /// future is dropped, the others stay.
    pub async fn drain(&self, over: Duration) {
        let protocol = self.engine.handler();
        protocol.is_closing.store(true, Ordering::SeqCst);
        self.engine.drain(over).await;
    }

    /// Ends the server: no new session is taken, every socket is disconnected with the reason `server shutting down`,
    /// what is queued is sent, and the sessions are closed, then the adapters. Returns when they are gone.
    ///
    /// No DISCONNECT is sent, so that clients come back when a server does.
    pub async fn close(&self) {
        let protocol = self.engine.handler();
        protocol.is_closing.store(true, Ordering::SeqCst);
        self.engine.refuse_sessions();
        let namespaces = protocol.namespaces.all();
        for namespace in &namespaces {
            for socket in namespace.sockets() {
                socket.end(DisconnectReason::ServerShuttingDown);
            }
        }
        self.engine.close().await;
        // Also of those that clients have brought about, or left, meanwhile.
        let namespaces = namespaces.into_iter().chain(protocol.namespaces.all());
        join_all(namespaces.map(|namespace| namespace.close_adapter())).await;
    }

    /// The server that a session belongs to.
    pub(crate) fn of_link(link: &Link) -> Self {
        Self {
            engine: link.engine().clone(),
            main: link.engine().handler().namespaces.of("/"),
        }
    }

    /// The engine below: its sessions and its options.
    pub fn engine(&self) -> &Arc<Engine<Protocol>> {
        &self.engine
    }

    /// What the server has counted.
    pub fn counters(&self) -> Counters {
        self.engine.handler().counters.read()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("clients", &self.engine.clients_count())
            .finish()
    }
}

/// Socket.IO as the application of an Engine.IO server.
pub struct Protocol {
    config: Arc<Config>,
    limits: Limits,
    /// Those of clients 2, whose namespaces come with a query.
    limits_2: Limits,
    namespaces: Namespaces,
    is_closing: AtomicBool,
    counters: Arc<LiveCounters>,
    mismatches: Mismatches,
}

impl engineio::server::Handler for Protocol {
    type Data = Connection;

    fn on_open(&self, _sid: Sid, request: &http::request::Parts) -> Connection {
        let request = HandshakeRequest::new(request, self.config.keep_handshake);
        Connection::new(request, self.config.parser.as_deref())
    }

    fn on_ready(&self, link: &Arc<Link>) {
        if link.protocol() == engineio::Protocol::V3 {
            connect::begin_main(link);
        }
    }

    fn on_message(&self, link: &Arc<Link>, message: Message) {
        Connection::on_message(link, &message);
    }

    fn on_close(&self, link: &Arc<Link>, reason: CloseReason) {
        let is_closing = self.is_closing.load(Ordering::SeqCst);
        link.data().on_close(match reason {
            CloseReason::ForcedClose if is_closing => DisconnectReason::ServerShuttingDown,
            reason => DisconnectReason::Transport(reason),
        });
    }
}

/// A session of this server.
pub(crate) type Link = engineio::server::Link<Protocol>;

/// Locks a mutex whose data stays whole even if a thread has panicked while it held the lock: all that runs under
/// our locks are plain assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
