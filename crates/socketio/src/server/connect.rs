//! How a client joins a namespace: CONNECT, the middlewares, the reply, the connect handlers.

use std::sync::Arc;

use engineio::Sid;

use super::{
    Link,
    connection::{NoSlot, Violation},
    handler::{CatchUnwind, HandlerName, Handlers, report_panic, spawn, start},
    socket::Socket,
};
use crate::{encode, error::ConnectError, packet::Packet};

/// A CONNECT has arrived.
pub(crate) fn begin(link: &Arc<Link>, packet: &Packet<'_>) -> Result<(), Violation> {
    let protocol = link.engine().handler();
    let Some(namespace) = protocol.namespace(packet.namespace) else {
        refuse(
            link,
            packet.namespace,
            &ConnectError::new("Invalid namespace"),
        );
        return Ok(());
    };
    let Some(id) = new_id() else {
        refuse(link, packet.namespace, &ConnectError::new("internal error"));
        return Ok(());
    };
    let auth = (!packet.data.is_empty()).then(|| packet.data.into());
    let handlers = namespace.handlers();
    let socket = Socket::new(id, namespace, link.clone(), handlers.clone(), auth);
    match link
        .data()
        .attach(socket.clone(), protocol.config.max_namespaces_per_client)
    {
        Ok(()) => {}
        Err(NoSlot::Violation(violation)) => return Err(violation),
        Err(NoSlot::TooManyNamespaces) => {
            refuse(
                link,
                packet.namespace,
                &ConnectError::new("too many namespaces"),
            );
            return Ok(());
        }
    }
    if handlers.middlewares.is_empty() {
        finish(&socket, Ok(()));
        return Ok(());
    }
    let mut admission = Box::pin(admit(socket, handlers));
    // As with handlers: up to the first await here and now, the rest as a task, which ends when the middlewares do,
    // at the latest at their timeout.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if admission.as_mut().poll(&mut context).is_pending() {
        spawn(link, admission);
    }
    Ok(())
}

/// Asks the middlewares, then lets the socket in or not.
async fn admit(socket: Socket, handlers: Arc<Handlers>) {
    let timeout = socket
        .link()
        .engine()
        .handler()
        .config
        .connect_handler_timeout;
    let verdict = tokio::time::timeout(timeout, ask(&socket, &handlers)).await;
    finish(
        &socket,
        verdict.unwrap_or_else(|_| Err(ConnectError::new("timeout"))),
    );
}

async fn ask(socket: &Socket, handlers: &Handlers) -> Result<(), ConnectError> {
    for middleware in &handlers.middlewares {
        let asked = CatchUnwind(Box::pin(async {
            middleware(socket.clone(), socket.auth()).await
        }));
        match asked.await {
            Ok(verdict) => verdict?,
            Err(panic) => {
                report_panic(socket.link(), &HandlerName::Middleware, &*panic);
                return Err(ConnectError::new("internal error"));
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
    // The client's next message may come as soon as the reply is on its way, and must find the connect handlers
    // started, even if this runs in a task of its own.
    link.pause_reading();
    if socket.open() {
        tracing::debug!(
            id = socket.id(),
            namespace = socket.namespace(),
            "socket connected"
        );
        for handler in &socket.handlers().connect {
            let started = start(link, HandlerName::Connect, || Ok(handler(socket.clone())));
            debug_assert!(started.is_ok(), "there are no arguments to be wrong");
        }
        connection.admit(socket);
        socket.opened();
    }
    link.resume_reading();
}

fn refuse(link: &Link, namespace: &str, error: &ConnectError) {
    tracing::debug!(sid = %link.sid(), namespace, %error, "connect refused");
    // If the session is over, nobody wants to know.
    let _ = link.push(encode::connect_error(namespace, error).as_slice());
}

/// A socket's id. It is public, and therefore has nothing in common with the session's.
fn new_id() -> Option<Arc<str>> {
    let mut random = [0; 15];
    getrandom::fill(&mut random).ok()?;
    Some(Sid::from_random(random).as_str().into())
}
