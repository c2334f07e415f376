//! How events reach the handlers that a socket has of its own: those that come, and those that go.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    Link,
    counters::count,
    event::{Event, Reply},
    handler::{EventHandler, HandlerName, report_panic, start},
    listeners::Listeners,
    socket::Socket,
};
use crate::{Args, args::ArgsRef, encode::Draft, error::ArgsError, packet::Packet};

/// First the handlers of every event, then the middlewares, then those of this one.
pub(crate) fn on_event(
    link: &Arc<Link>,
    socket: &Socket,
    own: &Listeners,
    packet: &Packet<'_>,
    args: ArgsRef<'_>,
) -> Result<(), ArgsError> {
    // Once and for all, whoever looks at them.
    args.validate()?;
    let Some(name) = packet.event.as_deref().filter(|_| socket.is_connected()) else {
        return Ok(());
    };
    let reply = packet.id.map(|id| Arc::new(Reply::new(id)));
    let event = Event::new(socket.clone(), name.into(), reply);
    for listener in own.read(|table| table.any.clone()) {
        let handler = &listener.handler;
        call(
            socket,
            event.clone(),
            event.shared_name(),
            Registered::ForAny,
            handler,
            args,
        )?;
    }
    let middlewares = own.read(|table| table.packet.clone());
    if middlewares.is_empty() {
        return deliver(&event, args);
    }
    // The middlewares may wait, and then the packet is gone.
    let args = args.capture()?;
    let here = link.clone();
    start(
        link,
        || HandlerName::PacketMiddleware,
        || {
            Ok(Box::pin(async move {
                for middleware in middlewares {
                    let dropped = match middleware(event.clone(), args.borrow()) {
                        Ok(asked) => asked.await,
                        Err(error) => Some(error.to_string()),
                    };
                    if let Some(error) = dropped {
                        on_error(&here, &event, &error);
                        return None;
                    }
                }
                deliver_later(&event, &args);
                None
            }))
        },
    )
}

/// The middlewares have let the event through; meanwhile the socket may have ended.
fn deliver_later(event: &Event, args: &Args) {
    if event.socket.is_connected() {
        let delivered = deliver(event, args.borrow());
        debug_assert!(delivered.is_ok(), "captured arguments are JSON");
    }
}

fn deliver(event: &Event, args: ArgsRef<'_>) -> Result<(), ArgsError> {
    let socket = &event.socket;
    let shared = socket.handlers().events.get(event.name());
    let name = event.shared_name();
    for handler in shared.into_iter().flatten() {
        call(
            socket,
            event.clone(),
            name,
            Registered::ForEvent,
            handler,
            args,
        )?;
    }
    let own = socket.listeners().map(|own| own.take(event.name()));
    for handler in own.into_iter().flatten() {
        call(
            socket,
            event.clone(),
            name,
            Registered::ForEvent,
            &handler,
            args,
        )?;
    }
    Ok(())
}

fn on_error(link: &Arc<Link>, event: &Event, error: &str) {
    tracing::debug!(event = event.name(), error, "event dropped by a middleware");
    let Some(own) = event.socket.listeners() else {
        return;
    };
    for handler in own.read(|table| table.error.clone()) {
        let started = start(
            link,
            || HandlerName::Error,
            || Ok(handler(event.socket.clone(), error.to_owned())),
        );
        debug_assert!(started.is_ok(), "there are no arguments to be wrong");
    }
}

/// Tells the sockets' handlers of outgoing events what was emitted. To be called without a lock.
pub(crate) fn tell_outgoing(sockets: &[Socket], draft: &Draft) {
    if sockets.is_empty() {
        return;
    }
    let Some((event, args)) = draft.to_event() else {
        return;
    };
    for socket in sockets {
        let handlers = socket
            .listeners()
            .map(|own| own.read(|table| table.outgoing.clone()));
        for (_, handler) in handlers.into_iter().flatten() {
            let called = catch_unwind(AssertUnwindSafe(|| handler(&event, &args)));
            if let Err(panic) = called {
                report_panic(socket.link(), &HandlerName::Outgoing, &*panic);
            }
        }
    }
}

/// What a handler was registered for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Registered {
    ForEvent,
    ForAny,
}

/// Starts a handler of the event of this name. One whose type the arguments do not fit is skipped.
pub(crate) fn call(
    socket: &Socket,
    event: Event,
    name: &Arc<str>,
    registered: Registered,
    handler: &EventHandler,
    args: ArgsRef<'_>,
) -> Result<(), ArgsError> {
    let link = socket.link();
    let started = start(
        link,
        || HandlerName::Event(name.clone()),
        || handler(event, args),
    );
    let Err(ArgsError::Mismatch(error)) = started else {
        return started;
    };
    let protocol = link.engine().handler();
    count(&protocol.counters.mismatched_arguments);
    // The text quotes what the client has sent.
    tracing::trace!(event = &**name, error, "handler skipped");
    // What a handler of any event is called for, the client names.
    let name = match registered {
        Registered::ForEvent => name,
        Registered::ForAny => &"(any)".into(),
    };
    protocol.mismatches.report(&socket.nsp(), name);
    Ok(())
}
