//! Namespaces that clients bring about, their parents, and how the whole server ends.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use socketio::{ConnectError, Event, Namespace, Server, Socket};

use crate::socket::lock;

/// The parents, in the order in which they are asked: a label and the namespace.
pub fn parents(io: &Server) -> [(&'static str, Namespace); 3] {
    [
        (
            "dynamic",
            io.of_matching(|name| name.starts_with("/dynamic-")),
        ),
        (
            "async",
            io.of_matching_async(async |name: String, auth: Value| {
                tokio::task::yield_now().await;
                name.starts_with("/async-") && auth["allow"] == true
            }),
        ),
        ("any d", io.of_matching(|name| name.starts_with("/d"))),
    ]
}

/// What the children of a parent have besides the events of all namespaces.
pub fn install(label: &'static str, parent: &Namespace) {
    parent
        .middleware(async |_socket: Socket, auth: Value| {
            if auth["refuse"] == true {
                Err(ConnectError::new("refused"))
            } else {
                Ok(())
            }
        })
        .on_connect(async move |socket: Socket| socket.emit("parent", label));
}

/// The namespace whose middleware joins a room before it decides, and tells whether the socket counted as connected.
pub fn install_joining(namespace: &Namespace) {
    struct Before(bool);
    namespace
        .middleware(async |socket: Socket, auth: Value| {
            socket.set(Before(socket.is_connected()));
            let joined = socket.join("in the chain");
            if auth["refuse"] == true || joined.is_err() {
                return Err(ConnectError::new("refused"));
            }
            Ok(())
        })
        .on_connect(async |socket: Socket| {
            let before = socket.data::<Before>().is_some_and(|before| before.0);
            socket.emit("connected", (before, socket.is_connected()))
        });
}

/// The events about namespaces themselves.
pub fn install_names(io: &Server, namespace: &Namespace) {
    let made = Arc::new(Mutex::new(Vec::<String>::new()));
    let notes = made.clone();
    io.on_new_namespace(move |new| lock(&notes).push(new.name().to_owned()));
    let maker = io.clone();
    namespace
        .on("made", async move |event: Event, (prefix,): (String,)| {
            let made = lock(&made).clone();
            let named = made.into_iter().filter(|name| name.starts_with(&prefix));
            event.ack((named.collect::<Vec<_>>(),))
        })
        .on("make", async move |event: Event, (name,): (String,)| {
            maker.of(&name);
            event.ack(())
        });
}
