//! The server: an `Engine` holds the sessions, a `Handler` is the application, a `Service` is mounted.

mod clock;
mod compression;
mod cors;
mod drain;
mod files;
mod head_timer;
mod hooks;
mod layer;
mod link;
mod listener;
#[cfg(all(test, feature = "loom"))]
mod models;
mod new_sid;
mod patient;
mod polling;
mod refusal;
mod serve;
mod service;
mod sync;
#[cfg(test)]
mod tests;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(unix)]
mod unix;
mod wake;
mod websocket;
mod workers;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, PoisonError, atomic::Ordering},
};

use tokio::runtime::Handle;

use crate::{
    config::Config,
    dialect::Dialect,
    error::CloseReason,
    handshake::{HandshakeError, Transport},
    packet::Message,
    session::{Session, Wire},
    sid::Sid,
};

#[cfg(feature = "rustls")]
pub use self::tls::{ClientCertificates, Tls, TlsError};
#[cfg(unix)]
pub use self::unix::UnixSocket;
use self::{
    clock::Clock,
    new_sid::NewSid,
    sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, RwLock},
};
pub use self::{
    files::StaticFiles,
    hooks::Hooks,
    layer::{Layer, LayerService},
    link::Link,
    listener::{Accepted, Listener, Peer, RemoteAddr, Secure},
    refusal::{BadRequest, ConnectionError},
    serve::serve,
    service::{Body, Service},
};
#[cfg(feature = "rustls")]
pub use tokio_rustls::rustls;

/// The application: what is done when a session opens, receives and closes.
///
/// The calls for one session are strictly serial and in order, on whatever thread; no lock is held meanwhile, so a
/// handler may use its own session. They should be short: the session's transport waits for them.
pub trait Handler: Sized + Send + Sync + 'static {
    /// What the application keeps for each session; [`Link::data`] gives it back.
    type Data: Send + Sync + 'static;

    /// A session has passed the handshake. Its open packet has not been sent yet.
    fn on_open(&self, sid: Sid, request: &http::request::Parts) -> Self::Data;

    /// The session can be used from now on; what is pushed here follows the open packet at once. By default nothing is
    /// done.
    fn on_ready(&self, _link: &Arc<Link<Self>>) {}

    /// A message has arrived. It is a slice of a read buffer: whoever keeps it, copies it.
    fn on_message(&self, link: &Arc<Link<Self>>, message: Message);

    /// The session has ended. This is its last call, and comes exactly once.
    fn on_close(&self, link: &Arc<Link<Self>>, reason: CloseReason);
}

/// An Engine.IO server: its options, its application and its sessions.
pub struct Engine<H: Handler> {
    config: Arc<Config>,
    hooks: Hooks,
    handler: H,
    clock: Arc<Clock<H>>,
    /// Read once per HTTP request, written at each open and close; never touched by a WebSocket message.
    sessions: RwLock<HashMap<Sid, Arc<Link<H>>>>,
    /// The ids of the application's own that are about to get a session. Held for one look-up at a time; the registry's
    /// lock may be taken under it.
    reserved: Mutex<HashSet<Sid>>,
    unconnected: AtomicUsize,
    last_key: AtomicU64,
    refusing: AtomicBool,
    closing: AtomicBool,
    /// Sessions that are out of the registry and whose end the application is still being told.
    ending: AtomicUsize,
    /// Spawned WebSocket tasks that have not finished.
    websockets: AtomicUsize,
    /// Tells `close` and `drain` that a session or a WebSocket task is gone, and `serve` that the server is closing.
    changed: Notify,
    runtime: OnceLock<Handle>,
}

impl<H: Handler> Engine<H> {
    /// A server without sessions. It starts no task before the first of them.
    pub fn new(config: Config, handler: H) -> Arc<Self> {
        Self::with_hooks(config, Hooks::default(), handler)
    }

    /// The same, with functions that are called for its requests.
    pub fn with_hooks(config: Config, hooks: Hooks, handler: H) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::new(config),
            hooks,
            handler,
            clock: Arc::new(Clock::default()),
            sessions: RwLock::default(),
            reserved: Mutex::default(),
            unconnected: AtomicUsize::new(0),
            last_key: AtomicU64::new(0),
            refusing: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            ending: AtomicUsize::new(0),
            websockets: AtomicUsize::new(0),
            changed: Notify::new(),
            runtime: OnceLock::new(),
        })
    }

    /// The application.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The runtime for tasks that are to outlive a session: the one that the first session came by, or with
    /// [`Config::workers`] the one on which `serve` was called. `None` before that.
    pub fn runtime(&self) -> Option<&Handle> {
        self.runtime.get()
    }

    /// How many sessions there are.
    pub fn clients_count(&self) -> usize {
        self.sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// The session with this id.
    pub fn session(&self, sid: &Sid) -> Option<Arc<Link<H>>> {
        self.sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(sid)
            .cloned()
    }

    /// The server as a hyper and tower service. Requests of other paths are answered with status 404.
    pub fn service(self: &Arc<Self>) -> Service<H> {
        Service::new(self.clone())
    }

    /// The server as a tower layer: requests of its path go to it, the others pass through.
    pub fn layer(self: &Arc<Self>) -> Layer<H> {
        Layer::new(self.clone())
    }

    /// Takes no more sessions from now on; those there are go on, and one that is just opening is closed with
    /// `forced close`. The first step of an orderly stop: see [`drain`](Self::drain) for the next, and
    /// [`close`](Self::close) for the last.
    pub fn refuse_sessions(&self) {
        self.refusing.store(true, Ordering::SeqCst);
    }

    /// Takes no more sessions, sends what is queued, closes every session with `forced close`, ends
    /// [`serve`](Self::serve), and returns when all sessions and WebSockets are gone and the application was told.
    ///
    /// Clients that take nothing hold it up for at most [`Config::shutdown_grace`], and their connections for as long
    /// as [`Config::write_deadline`] after that.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
        for link in self.links() {
            link.close(CloseReason::ForcedClose);
        }
        let grace = self.config.shutdown_grace;
        if tokio::time::timeout(grace, self.closed()).await.is_err() {
            for link in self.links() {
                link.drive(|session| {
                    let wire = match session.transport() {
                        Transport::Polling => Wire::Polling,
                        Transport::WebSocket => Wire::WebSocket(session.websocket_id()),
                    };
                    session.transport_closed(wire, CloseReason::ForcedClose);
                });
            }
            self.closed().await;
        }
    }

    /// Whether the server takes no more sessions.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Resolves when [`close`](Self::close) is called.
    pub async fn closing(&self) {
        self.until(|| self.is_closing()).await;
    }

    /// Resolves when [`close`](Self::close) was called and everybody is gone. Until then connections are accepted, as
    /// a client on long-polling may need one more to fetch what is queued for it.
    async fn closed(&self) {
        // In this order: a session is among the ending ones before it leaves the registry.
        let is_deserted = || {
            self.clients_count() == 0
                && self.ending.load(Ordering::SeqCst) == 0
                && self.websockets.load(Ordering::SeqCst) == 0
        };
        self.until(|| self.is_closing() && is_deserted()).await;
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    }

    /// All sessions, by their ids, so that nothing hangs on the chance of a hash.
    fn links(&self) -> Vec<Arc<Link<H>>> {
        let sessions = self.sessions.read();
        let sessions = sessions.unwrap_or_else(PoisonError::into_inner);
        let mut links: Vec<_> = sessions.values().cloned().collect();
        drop(sessions);
        links.sort_by_cached_key(|link| link.sid());
        links
    }

    /// Whether another session is welcome.
    fn check_capacity(&self) -> Result<(), HandshakeError> {
        let full = self.clients_count() >= self.config.max_sessions
            || self.unconnected.load(Ordering::Relaxed) >= self.config.max_unconnected_sessions;
        if full || self.refuses_sessions() {
            Err(HandshakeError::Unavailable)
        } else {
            Ok(())
        }
    }

    fn refuses_sessions(&self) -> bool {
        self.is_closing() || self.refusing.load(Ordering::SeqCst)
    }

    /// Makes a session after a valid handshake.
    fn open_session(
        self: &Arc<Self>,
        new: &NewSid<H>,
        transport: Transport,
        dialect: Dialect,
        request: &http::request::Parts,
    ) -> Result<Arc<Link<H>>, HandshakeError> {
        self.check_capacity()?;
        if let (None, Some(home)) = (self.runtime.get(), workers::home()) {
            self.runtime.get_or_init(|| home);
        }
        let sid = new.sid();
        let mut session = Session::new(now(), sid.clone(), transport, dialect, self.config.clone());
        if self.hooks.on_session_event().is_some() {
            session.watch();
        }
        let key = self.last_key.fetch_add(1, Ordering::Relaxed);
        let data = self.handler.on_open(sid.clone(), request);
        let link = Link::new(self.clone(), sid.clone(), key, dialect, data, session);
        self.sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sid.clone(), link.clone());
        tracing::debug!(%sid, transport = transport.as_str(), "session open");
        link.ready();
        // `close` and `drain` may have walked over the sessions before this one was among them.
        if self.refuses_sessions() {
            link.close(CloseReason::ForcedClose);
        }
        Ok(link)
    }

    /// Called once per session, before the application is told.
    fn forget_session(&self, sid: &Sid) {
        self.ending.fetch_add(1, Ordering::SeqCst);
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.remove(sid);
        // After a mass disconnect the table's memory is given back.
        if sessions.capacity() > 64 && sessions.len() < sessions.capacity() / 8 {
            sessions.shrink_to_fit();
        }
    }

    /// Called once per session, when the application was told.
    fn session_ended(&self) {
        self.ending.fetch_sub(1, Ordering::SeqCst);
        self.notify_if_closing();
    }

    fn notify_if_closing(&self) {
        if self.refuses_sessions() {
            self.changed.notify_waiters();
        }
    }
}

impl<H: Handler> Drop for Engine<H> {
    fn drop(&mut self) {
        self.clock.stop();
    }
}

/// The time for the pure core. Tokio's clock, so that tests can hold it.
fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// Locks a mutex whose data stays whole even if a thread has panicked while it held the lock: all that runs under
/// our locks are plain assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
