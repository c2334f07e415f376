//! How a client joins a namespace: CONNECT, the middlewares, the reply, the connect handlers.

use std::sync::Arc;

use engineio::{Protocol, Sid};

use super::{
    Link,
    adapter::NotInserted,
    connection::{NoSlot, Violation},
    handler::{CatchUnwind, HandlerName, report_panic, spawn, start},
    handshake::auth_of_query,
    namespace::Namespace,
    namespaces::{Left, Parent, TooManyNamespaces},
    socket::Socket,
};
use crate::{encode, error::ConnectError, packet::Packet, rooms::Room};

/// A CONNECT has arrived. What others send as the auth payload, the clients 2 send as a query.
pub(crate) fn begin(
    link: &Arc<Link>,
    packet: &Packet<'_>,
    query: Option<&str>,
) -> Result<(), Violation> {
    let auth = match link.protocol() {
        Protocol::V4 => (!packet.data.is_empty()).then(|| packet.data.into()),
        Protocol::V3 => query.and_then(auth_of_query),
    };
    join(link, packet.namespace, auth)
}

/// A client 2 has come. It joins the main namespace without asking.
pub(crate) fn begin_main(link: &Arc<Link>) {
    let joined = join(link, "/", None);
    debug_assert!(joined.is_ok(), "nobody is there yet");
}

fn join(link: &Arc<Link>, name: &str, auth: Option<Arc<str>>) -> Result<(), Violation> {
    let protocol = link.engine().handler();
    let Some(namespace) = protocol.namespaces.enter(name) else {
        return seek(link, name, auth);
    };
    let Some(socket) = make_socket(link, namespace, auth) else {
        refuse(link, name, &internal_error());
        return Ok(());
    };
    let max_namespaces = protocol.config.max_namespaces_per_client;
    if let Err(error) = link.data().attach(socket.clone(), max_namespaces) {
        socket.refused();
        return no_slot(link, name, error);
    }
    if socket.handlers().middlewares.is_empty() {
        finish(&socket, Ok(()));
    } else if !skips_middlewares(&socket) || open(&socket, true) == Err(NotInserted::NotRecovered) {
        run(link, admit(socket));
    }
    Ok(())
}

/// Whether the socket may be let in without being asked anything, provided it is recovered.
fn skips_middlewares(socket: &Socket) -> bool {
    let config = &socket.link().engine().handler().config;
    let skips = config
        .connection_state_recovery
        .as_ref()
        .is_some_and(|recovery| recovery.skip_middlewares);
    skips && socket.recovered()
}

/// There is no such namespace, but perhaps a parent wants one.
fn seek(link: &Arc<Link>, name: &str, auth: Option<Arc<str>>) -> Result<(), Violation> {
    let protocol = link.engine().handler();
    let parents = protocol.namespaces.parents();
    if parents.is_empty() {
        refuse(link, name, &invalid_namespace());
        return Ok(());
    }
    let name: Room = name.into();
    let max_namespaces = protocol.config.max_namespaces_per_client;
    // So that there are no more questions at a time than the client may have namespaces.
    if let Err(error) = link.data().reserve(&name, max_namespaces) {
        return no_slot(link, &name, error);
    }
    run(link, found(link.clone(), name, auth, parents));
    Ok(())
}

/// Asks the parents, then goes on as if the namespace had been there.
async fn found(link: Arc<Link>, name: Room, auth: Option<Arc<str>>, parents: Vec<Arc<Parent>>) {
    let protocol = link.engine().handler();
    let namespaces = &protocol.namespaces;
    let timeout = protocol.config.connect_handler_timeout;
    let search = namespaces.find_parent(parents, &name, auth.as_deref());
    let namespace = match tokio::time::timeout(timeout, search).await {
        Ok(Some(parent)) => namespaces
            .enter_child(&name, &parent)
            .map_err(|TooManyNamespaces| too_many_namespaces()),
        Ok(None) => Err(invalid_namespace()),
        Err(_) => Err(ConnectError::new("timeout")),
    };
    let namespace = match namespace {
        Ok(namespace) => namespace,
        Err(error) => {
            link.data().give_up(&name);
            refuse(&link, &name, &error);
            return;
        }
    };
    let Some(socket) = make_socket(&link, namespace, auth) else {
        link.data().give_up(&name);
        refuse(&link, &name, &internal_error());
        return;
    };
    if !link.data().settle(&socket) {
        socket.refused();
        return;
    }
    if !skips_middlewares(&socket) || open(&socket, true) == Err(NotInserted::NotRecovered) {
        admit(socket).await;
    }
}

/// The socket of a client that has entered a namespace; none if there is no randomness for its id.
fn make_socket(link: &Arc<Link>, namespace: Namespace, auth: Option<Arc<str>>) -> Option<Socket> {
    let Some(id) = new_id(link, namespace.name()) else {
        leave(link, &namespace);
        return None;
    };
    let handlers = namespace.handlers();
    let returning = match link.protocol() {
        Protocol::V4 => namespace.local_adapter().returning(auth.as_deref()),
        // They know no offsets, and do not come back as who they were.
        Protocol::V3 => None,
    };
    let known = returning.as_ref().and_then(|returning| returning.sid());
    let id = known.unwrap_or(id);
    let link = link.clone();
    Some(Socket::new(id, namespace, link, handlers, auth, returning))
}

/// A client that has entered a namespace is gone, or was never let in.
pub(crate) fn leave(link: &Link, namespace: &Namespace) {
    let protocol = link.engine().handler();
    let left = protocol.namespaces.leave(namespace);
    if left == Left::Stays {
        return;
    }
    let (engine, namespace) = (link.engine().clone(), namespace.clone());
    run(link, async move {
        let mut left = left;
        while let Left::Expects(wait) = left {
            tokio::time::sleep(wait).await;
            left = engine.handler().namespaces.leave(&namespace);
        }
        if left == Left::Stays {
            return;
        }
        let closing = CatchUnwind(Box::pin(async { namespace.close_adapter().await }));
        if closing.await.is_err() {
            tracing::error!(namespace = namespace.name(), "adapter panicked");
        }
    });
}

/// As with handlers: up to the first await here and now, the rest as a task. It ends when the predicates and middlewares
/// do, at the latest at their timeout, or when the adapter is closed; of a namespace to which somebody may come back when
/// nobody may any more, and there is one for each at most.
fn run(link: &Link, work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if work.as_mut().poll(&mut context).is_pending() {
        spawn(link, work);
    }
}

/// Asks the middlewares, then lets the socket in or not.
async fn admit(socket: Socket) {
    let timeout = socket
        .link()
        .engine()
        .handler()
        .config
        .connect_handler_timeout;
    let verdict = tokio::time::timeout(timeout, ask(&socket)).await;
    finish(
        &socket,
        verdict.unwrap_or_else(|_| Err(ConnectError::new("timeout"))),
    );
}

async fn ask(socket: &Socket) -> Result<(), ConnectError> {
    for middleware in &socket.handlers().middlewares {
        let asked = CatchUnwind(Box::pin(async {
            middleware(socket.clone(), socket.auth()).await
        }));
        match asked.await {
            Ok(verdict) => verdict?,
            Err(panic) => {
                report_panic(socket.link(), &HandlerName::Middleware, &*panic);
                return Err(internal_error());
            }
        }
    }
    Ok(())
}

fn finish(socket: &Socket, verdict: Result<(), ConnectError>) {
    let link = socket.link();
    let connection = link.data();
    if let Err(error) = verdict {
        // First of all the place is free, since the client may try again as soon as it knows.
        connection.refuse(socket);
        socket.refused();
        refuse(link, socket.namespace(), &error);
        return;
    }
    // Without a condition there is nothing more to be done.
    let _ = open(socket, false);
}

/// Lets a socket in, and starts its connect handlers.
fn open(socket: &Socket, must_recover: bool) -> Result<(), NotInserted> {
    let link = socket.link();
    // The client's next message may come as soon as the reply is on its way, and must find the connect handlers
    // started, even if this runs in a task of its own.
    link.pause_reading();
    let opened = socket.open(must_recover);
    if opened.is_ok() {
        tracing::debug!(
            id = socket.id(),
            namespace = socket.namespace(),
            recovered = socket.recovered(),
            "socket connected"
        );
        for handler in &socket.handlers().connect {
            let started = start(
                link,
                || HandlerName::Connect,
                || Ok(handler(socket.clone())),
            );
            debug_assert!(started.is_ok(), "there are no arguments to be wrong");
        }
        link.data().admit(socket);
        socket.opened();
    }
    if opened == Err(NotInserted::Superseded) {
        link.data().refuse(socket);
        socket.refused();
        let error = ConnectError::new("session was taken over");
        refuse(link, socket.namespace(), &error);
    }
    link.resume_reading();
    opened
}

fn no_slot(link: &Link, namespace: &str, error: NoSlot) -> Result<(), Violation> {
    match error {
        NoSlot::Violation(violation) => Err(violation),
        NoSlot::TooManyNamespaces => {
            refuse(link, namespace, &too_many_namespaces());
            Ok(())
        }
    }
}

fn internal_error() -> ConnectError {
    ConnectError::new("internal error")
}

fn invalid_namespace() -> ConnectError {
    ConnectError::new(INVALID_NAMESPACE)
}

fn too_many_namespaces() -> ConnectError {
    ConnectError::new("too many namespaces")
}

fn refuse(link: &Link, namespace: &str, error: &ConnectError) {
    tracing::debug!(sid = %link.sid(), namespace, %error, "connect refused");
    let parser = link.engine().handler().config.parser.as_deref();
    let is_unknown = error.message == INVALID_NAMESPACE;
    let frames = match link.protocol() {
        // As in the reference, which has one place that does not tell the clients apart.
        Protocol::V3 if !is_unknown => encode::connect_error_2(parser, namespace, error),
        _ => encode::connect_error(parser, namespace, error),
    };
    // If the session is over, nobody wants to know.
    let _ = link.push(frames.as_slice());
}

/// A socket's id. It is public, and therefore has nothing in common with the session's; but the clients 2 make theirs of
/// that, so that they must have it, as in the reference.
fn new_id(link: &Link, namespace: &str) -> Option<Arc<str>> {
    if link.protocol() == Protocol::V3 {
        let sid = link.sid();
        return Some(match namespace {
            "/" => sid.as_str().into(),
            _ => format!("{namespace}#{sid}").into(),
        });
    }
    let mut random = [0; 15];
    getrandom::fill(&mut random).ok()?;
    Some(Sid::from_random(random).as_str().into())
}

const INVALID_NAMESPACE: &str = "Invalid namespace";
