//! What can be done with many sockets at once, and what becomes of rooms.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::Value;
use socketio::{Event, Namespace, server::adapter::RoomEvent};

use crate::socket::{Target, lock};

#[derive(Serialize)]
struct Found {
    id: String,
    rooms: Vec<String>,
}

/// The events that are about many sockets or about rooms.
pub fn install(namespace: &Namespace) {
    let [fetcher, joiner, leaver, closer] = std::array::from_fn(|_| namespace.clone());
    namespace
        .on(
            "sockets",
            async move |event: Event, (target,): (Target,)| {
                let broadcast = target.broadcast(&fetcher, &event.socket);
                let found = broadcast.fetch_sockets().await;
                let mut found: Vec<_> = found
                    .map_err(|error| error.to_string())?
                    .into_iter()
                    .map(|socket| {
                        let mut rooms = socket.rooms().to_vec();
                        rooms.sort();
                        Found {
                            id: socket.id().to_owned(),
                            rooms,
                        }
                    })
                    .collect();
                found.sort_by(|one, other| one.id.cmp(&other.id));
                event.ack((found,)).map_err(|error| error.to_string())
            },
        )
        .on(
            "sockets join",
            async move |event: Event, (target, rooms): (Target, Vec<String>)| {
                target.broadcast(&joiner, &event.socket).sockets_join(rooms);
                event.ack(())
            },
        )
        .on(
            "sockets leave",
            async move |event: Event, (target, room): (Target, String)| {
                target.broadcast(&leaver, &event.socket).sockets_leave(room);
                event.ack(())
            },
        )
        .on(
            "disconnect sockets",
            async move |event: Event, (target, close): (Target, bool)| {
                let broadcast = target.broadcast(&closer, &event.socket);
                if close {
                    broadcast.close_sockets();
                } else {
                    broadcast.disconnect_sockets();
                }
                event.ack(())
            },
        );
    room_events(namespace);
    handshake(namespace);
}

fn room_events(namespace: &Namespace) {
    let seen = Arc::new(Mutex::new(Vec::<(String, String)>::new()));
    let notes = seen.clone();
    namespace.local_adapter().on_room_event(move |event| {
        let (room, what) = match event {
            RoomEvent::Create(room) => (room, "create".to_owned()),
            RoomEvent::Join { room, id } => (room, format!("join {id}")),
            RoomEvent::Leave { room, id } => (room, format!("leave {id}")),
            RoomEvent::Delete(room) => (room, "delete".to_owned()),
            _ => return,
        };
        lock(&notes).push((room.to_string(), what));
    });
    namespace.on(
        "room events",
        async move |event: Event, (room,): (String,)| {
            let seen = lock(&seen).clone();
            let of_room: Vec<_> = seen.into_iter().filter(|(name, _)| *name == room).collect();
            event.ack((of_room
                .into_iter()
                .map(|(_, what)| what)
                .collect::<Vec<_>>(),))
        },
    );
}

#[derive(Serialize)]
struct Described {
    query: Vec<Option<String>>,
    headers: Vec<Option<String>>,
    auth: Value,
    address: Option<String>,
    url: String,
    age: Option<u128>,
    secure: bool,
}

fn handshake(namespace: &Namespace) {
    namespace.on(
        "handshake",
        async |event: Event, (query, headers): (Vec<String>, Vec<String>)| {
            let handshake = event.socket.handshake();
            let headers = headers
                .iter()
                .map(|name| handshake.header(name).map(str::to_owned));
            event.ack(Described {
                query: query.iter().map(|name| handshake.query(name)).collect(),
                headers: headers.collect(),
                auth: handshake.auth().unwrap_or_default(),
                address: handshake.address().map(|address| address.ip().to_string()),
                url: handshake.url().to_owned(),
                age: handshake.time().elapsed().ok().map(|age| age.as_millis()),
                secure: handshake.is_secure(),
            })
        },
    );
}
