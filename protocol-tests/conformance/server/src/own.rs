//! Handlers and packet middlewares that a test puts on one socket, and what they have noted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use socketio::{Event, ListenerId, Namespace, Socket};

use crate::socket::lock;

/// What the handlers of one socket have noted, and the handlers by their labels.
#[derive(Default)]
struct Own {
    notes: Mutex<Vec<Value>>,
    handlers: Mutex<HashMap<String, ListenerId>>,
}

impl Own {
    fn note(&self, label: &str, event: &str, args: Vec<Value>) {
        let mut note = vec![json!(label), json!(event)];
        note.extend(args);
        lock(&self.notes).push(note.into());
    }

    /// Handlers of every event would note the commands of the test as well.
    fn note_if_test(&self, label: &str, event: &str, args: Vec<Value>) {
        if event.starts_with("test") {
            self.note(label, event, args);
        }
    }
}

fn own(socket: &Socket) -> Arc<Own> {
    socket.data().unwrap_or_else(|| {
        socket.set(Own::default());
        socket.data().expect("it was just set")
    })
}

/// The events by which a test puts handlers on its socket.
pub fn install(namespace: &Namespace) {
    namespace
        .on(
            "listen",
            async |event: Event, (kind, name, label): (String, String, String)| {
                let id = listen(&event.socket, &kind, &name, label.clone());
                lock(&own(&event.socket).handlers).insert(label, id);
                event.ack(())
            },
        )
        .on("unlisten", async |event: Event, (label,): (String,)| {
            let handlers = own(&event.socket);
            if let Some(id) = lock(&handlers.handlers).remove(&label) {
                event.socket.off(id);
                event.socket.off_any(id);
                event.socket.off_any_outgoing(id);
            }
            event.ack(())
        })
        .on(
            "unlisten all",
            async |event: Event, (kind, name): (String, String)| {
                match kind.as_str() {
                    "on" => event.socket.remove_all_listeners(name.as_str()),
                    "any" => event.socket.off_any(None),
                    _ => event.socket.off_any_outgoing(None),
                }
                event.ack(())
            },
        )
        .on("use", async |event: Event, (label,): (String,)| {
            guard(&event.socket, label);
            event.ack(())
        })
        .on("heard", async |event: Event, ()| {
            let notes = std::mem::take(&mut *lock(&own(&event.socket).notes));
            event.ack((notes,))
        });
}

fn listen(socket: &Socket, kind: &str, name: &str, label: String) -> ListenerId {
    let own = own(socket);
    let outgoing = {
        let (own, label) = (own.clone(), label.clone());
        move |event: &str, args: &socketio::Args| {
            own.note_if_test(&label, event, args.parse().unwrap_or_default());
        }
    };
    let any = {
        let (own, label) = (own.clone(), label.clone());
        async move |event: Event, args: Vec<Value>| own.note_if_test(&label, event.name(), args)
    };
    let one = async move |event: Event, args: Vec<Value>| own.note(&label, event.name(), args);
    match kind {
        "once" => socket.once(name, one),
        "any" => socket.on_any(any),
        "prepend any" => socket.prepend_any(any),
        "outgoing" => socket.on_any_outgoing(outgoing),
        "prepend outgoing" => socket.prepend_any_outgoing(outgoing),
        _ => socket.on(name, one),
    }
}

/// A packet middleware that notes, and drops what is called `test refused`.
fn guard(socket: &Socket, label: String) {
    let own = own(socket);
    let errors = own.clone();
    socket
        .use_packet(async move |event: Event, args: Vec<Value>| {
            own.note_if_test(&label, event.name(), args);
            if event.name() == "test refused" {
                Err(format!("refused by {label}"))
            } else {
                Ok(())
            }
        })
        .on_error(async move |_socket: Socket, error: String| errors.note("error", &error, vec![]));
}
