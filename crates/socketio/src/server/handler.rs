//! Handlers: what users register, stored without their types, and how one is started.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    future::Future,
    hash::{BuildHasherDefault, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::{
    Link,
    counters::count,
    event::Event,
    flow::{Flow, Ticket},
    handshake::parse_auth,
    socket::Socket,
};
use crate::{
    Args,
    args::ArgsRef,
    error::{ArgsError, ConnectError, DisconnectReason},
};

/// What a handler returns: nothing, or a result whose error is logged.
#[diagnostic::on_unimplemented(
    message = "a handler returns `()` or `Result<(), E>` with an `E` that can be displayed",
    label = "this handler returns `{Self}`"
)]
pub trait Outcome {
    /// What went wrong, if anything did.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// A running handler; it ends with what went wrong.
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Option<String>> + Send>>;
pub(crate) type MiddlewareFuture = Pin<Box<dyn Future<Output = Result<(), ConnectError>> + Send>>;

pub(crate) type EventHandler =
    Arc<dyn Fn(Event, ArgsRef<'_>) -> Result<HandlerFuture, ArgsError> + Send + Sync>;
pub(crate) type ConnectHandler = Arc<dyn Fn(Socket) -> HandlerFuture + Send + Sync>;
pub(crate) type DisconnectHandler =
    Arc<dyn Fn(Socket, DisconnectReason) -> HandlerFuture + Send + Sync>;
pub(crate) type ErrorHandler = Arc<dyn Fn(Socket, String) -> HandlerFuture + Send + Sync>;
pub(crate) type OutgoingHandler = Arc<dyn Fn(&str, &Args) + Send + Sync>;
pub(crate) type Middleware = Arc<dyn Fn(Socket, Option<&str>) -> MiddlewareFuture + Send + Sync>;

/// All handlers of a namespace. A socket keeps those that were there when it connected.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) events: HashMap<Arc<str>, Vec<EventHandler>, BuildHasherDefault<NameHasher>>,
    pub(crate) middlewares: Vec<Middleware>,
    pub(crate) connect: Vec<ConnectHandler>,
    pub(crate) disconnecting: Vec<DisconnectHandler>,
    pub(crate) disconnect: Vec<DisconnectHandler>,
}

/// Hashes the names of events (FNV-1a). The program chooses those in the table, so that nobody can make them collide; what
/// a client sends is only looked up.
pub(crate) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A handler is cloned for each call, since an async closure lends what it has captured.
pub(crate) fn event_handler<T, F, R>(handler: F) -> EventHandler
where
    T: DeserializeOwned,
    F: FnOnce(Event, T) -> R + Clone + Send + Sync + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    Arc::new(move |event, args| {
        let args = args.parse()?;
        let running = handler.clone()(event, args);
        Ok(Box::pin(async move { running.await.error() }))
    })
}

pub(crate) fn connect_handler<F, R>(handler: F) -> ConnectHandler
where
    F: FnOnce(Socket) -> R + Clone + Send + Sync + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    Arc::new(move |socket| {
        let running = handler.clone()(socket);
        Box::pin(async move { running.await.error() })
    })
}

pub(crate) fn disconnect_handler<F, R>(handler: F) -> DisconnectHandler
where
    F: FnOnce(Socket, DisconnectReason) -> R + Clone + Send + Sync + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    Arc::new(move |socket, reason| {
        let running = handler.clone()(socket, reason);
        Box::pin(async move { running.await.error() })
    })
}

pub(crate) fn error_handler<F, R>(handler: F) -> ErrorHandler
where
    F: FnOnce(Socket, String) -> R + Clone + Send + Sync + 'static,
    R: Future<Output: Outcome> + Send + 'static,
{
    Arc::new(move |socket, error| {
        let running = handler.clone()(socket, error);
        Box::pin(async move { running.await.error() })
    })
}

pub(crate) fn middleware<T, F, R>(middleware: F) -> Middleware
where
    T: DeserializeOwned,
    F: FnOnce(Socket, T) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<(), ConnectError>> + Send + 'static,
{
    Arc::new(move |socket, auth| match parse_auth(auth) {
        Ok(auth) => Box::pin(middleware.clone()(socket, auth)),
        Err(error) => {
            tracing::debug!("client refused, as its auth does not fit the type of a middleware");
            // The text quotes what the client has sent, and names what the program wants.
            tracing::trace!(%error, "client refused");
            Box::pin(std::future::ready(Err(ConnectError::new("invalid auth"))))
        }
    })
}

/// Which handler is meant, for the log.
#[derive(Debug, Clone)]
pub(crate) enum HandlerName {
    Event(Arc<str>),
    Connect,
    Disconnecting,
    Disconnect,
    Middleware,
    PacketMiddleware,
    Error,
    Outgoing,
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event(name) => name,
            Self::Connect => "connect",
            Self::Disconnecting => "disconnecting",
            Self::Disconnect => "disconnect",
            Self::Middleware => "middleware",
            Self::PacketMiddleware => "packet middleware",
            Self::Error => "error",
            Self::Outgoing => "outgoing",
        })
    }
}

/// Runs a handler up to its first await, here and now, so that handlers start in order. If it must wait, the rest is
/// a task of its own; it ends with the handler, and counts as work of the connection until then.
///
/// A panic stays in the handler. The only error is that of arguments that do not fit.
pub(crate) fn start(
    link: &Arc<Link>,
    name: impl FnOnce() -> HandlerName,
    make: impl FnOnce() -> Result<HandlerFuture, ArgsError>,
) -> Result<(), ArgsError> {
    let first_poll = catch_unwind(AssertUnwindSafe(|| {
        let mut handler = make()?;
        // If it is pending it is polled again, with a waker that works.
        Ok(
            match handler
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(error) => Progress::Finished(error),
                Poll::Pending => Progress::Waiting(handler),
            },
        )
    }));
    match first_poll {
        Ok(Ok(Progress::Finished(None))) => {}
        Ok(Ok(Progress::Finished(Some(error)))) => report(link, &name(), &error),
        Ok(Ok(Progress::Waiting(handler))) => {
            let handler = CatchUnwind(handler);
            let ticket = Flow::begin_handler(link);
            spawn(link, finish(link.clone(), name(), handler, ticket));
        }
        Ok(Err(error)) => return Err(error),
        Err(panic) => report_panic(link, &name(), &*panic),
    }
    Ok(())
}

enum Progress {
    Finished(Option<String>),
    Waiting(HandlerFuture),
}

async fn finish(
    link: Arc<Link>,
    name: HandlerName,
    handler: CatchUnwind<HandlerFuture>,
    ticket: Ticket,
) {
    match handler.await {
        Ok(None) => {}
        Ok(Some(error)) => report(&link, &name, &error),
        Err(panic) => report_panic(&link, &name, &*panic),
    }
    drop(ticket);
}

/// Spawns onto the runtime of the caller, or onto that of the server if the caller has none.
pub(crate) fn spawn(link: &Link, task: impl Future<Output = ()> + Send + 'static) {
    match (Handle::try_current(), link.engine().runtime()) {
        (Ok(here), _) => drop(here.spawn(task)),
        (Err(_), Some(server)) => drop(server.spawn(task)),
        // There are no handlers before the first session, and with that the runtime is known.
        (Err(_), None) => tracing::error!("no runtime to run a handler on"),
    }
}

fn report(link: &Link, name: &HandlerName, error: &str) {
    count(&link.engine().handler().counters.handler_errors);
    tracing::warn!(handler = %name, error, "handler failed");
}

pub(crate) fn report_panic(link: &Link, name: &HandlerName, panic: &(dyn Any + Send)) {
    count(&link.engine().handler().counters.handler_panics);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("?");
    tracing::error!(handler = %name, panic = text, "handler panicked");
}

/// A future whose panic is its error.
pub(crate) struct CatchUnwind<F>(pub(crate) F);

impl<F: Future + Unpin> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
