//! The Socket.IO half: the namespaces, and the events that all of them have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{
    Args, Broadcast, ConnectError, DisconnectReason, EmitError, Event, Namespace, Server, Socket,
};
use tokio::sync::Notify;

use crate::{any::Any, family, own, utility};

/// What the namespaces know in common.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Of each socket, by its id.
    left: HashMap<String, Left>,
    /// How many connection handlers ran for each `auth.tag`.
    seen: HashMap<String, u64>,
}

#[derive(Default)]
struct Left {
    reasons: Vec<String>,
    /// The rooms while it was disconnecting and when it had disconnected, without that of its own.
    rooms: [Vec<String>; 2],
    /// Who wants to know when the socket disconnects.
    waiting: Vec<Event>,
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the middlewares of `/guarded` note on a socket.
struct Notes(Vec<&'static str>);

/// The value of `set` and `get`.
struct Kept(Value);

/// The handlers of `start` that run on a socket.
#[derive(Default)]
struct Started {
    numbers: Mutex<Vec<u64>>,
    release: Notify,
}

/// Puts the namespaces and their handlers on the server.
pub fn install(io: &Server) {
    let records = Records::default();
    guard(&io.of("/guarded"));
    family::install_joining(&io.of("/joining"));
    for name in ["/", "/other", "/guarded", "/joining"] {
        let namespace = io.of(name);
        events(&namespace, &records);
    }
    family::install_names(io, &io.of("/"));
    close(io, &io.of("/"), records.clone());
    for (label, parent) in family::parents(io) {
        family::install(label, &parent);
        events(&parent, &records);
    }
}

/// What all namespaces have in common.
fn events(namespace: &Namespace, records: &Records) {
    connections(namespace, records.clone());
    messages(namespace);
    rooms(namespace);
    data(namespace, records.clone());
    own::install(namespace);
    utility::install(namespace);
}

fn guard(namespace: &Namespace) {
    namespace
        .middleware(async |socket: Socket, _auth: Value| {
            socket.set(Notes(vec!["first"]));
            Ok(())
        })
        .middleware(async |socket: Socket, auth: Value| {
            if let Some(wait) = auth["wait"].as_u64() {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            let mut notes = socket
                .data::<Notes>()
                .map_or_else(Vec::new, |notes| notes.0.clone());
            notes.push("second");
            socket.set(Notes(notes));
            if auth["token"] == "secret" {
                Ok(())
            } else if !auth["plain"].is_null() {
                Err(ConnectError::new("go away"))
            } else {
                Err(ConnectError::new("not authorized").with_data(json!({ "reason": "bad token" })))
            }
        });
}

fn connections(namespace: &Namespace, records: Records) {
    let (arrivals, leavers, departures) = (records.clone(), records.clone(), records);
    namespace
        .on_connect(async move |socket: Socket| {
            let auth: Value = socket.handshake().auth().unwrap_or_default();
            let mut records = arrivals.lock();
            records.left.insert(socket.id().to_owned(), Left::default());
            *records.seen.entry(auth["tag"].to_string()).or_default() += 1;
            drop(records);
            socket.set(Started::default());
            match socket.data::<Notes>() {
                Some(notes) => socket.emit("welcome", (&notes.0,)),
                None => Ok(()),
            }
        })
        .on_disconnecting(async move |socket: Socket, _reason: DisconnectReason| {
            if let Some(left) = leavers.lock().left.get_mut(socket.id()) {
                left.rooms[0] = other_rooms(&socket);
            }
        })
        .on_disconnect(async move |socket: Socket, reason: DisconnectReason| {
            let mut records = departures.lock();
            let Some(left) = records.left.get_mut(socket.id()) else {
                return Ok(());
            };
            left.rooms[1] = other_rooms(&socket);
            left.reasons.push(reason.to_string());
            let (waiting, reasons) = (std::mem::take(&mut left.waiting), left.reasons.clone());
            drop(records);
            waiting.iter().try_for_each(|event| event.ack((&reasons,)))
        })
        .on("leave me", async |event: Event, (close,): (bool,)| {
            if close {
                event.socket.close();
            } else {
                event.socket.disconnect();
            }
        });
}

fn other_rooms(socket: &Socket) -> Vec<String> {
    let mut rooms = socket.rooms();
    rooms.retain(|room| room != socket.id());
    rooms.sort();
    rooms
}

/// Closes everything, then tells by which reasons the sockets have disconnected, and ends the process.
fn close(io: &Server, namespace: &Namespace, records: Records) {
    let io = io.clone();
    namespace.on("close server", async move |_event: Event, ()| {
        let (io, records) = (io.clone(), records.clone());
        // Ends with the process. The handler must not wait for it, since it waits for its sockets.
        tokio::spawn(async move {
            io.close().await;
            let records = records.lock();
            let reasons: HashMap<_, _> = records
                .left
                .iter()
                .map(|(id, left)| (id, &left.reasons))
                .collect();
            println!("{}", json!({ "closed": reasons }));
            std::process::exit(0);
        });
    });
}

fn messages(namespace: &Namespace) {
    namespace
        .on("echo", async |event: Event, args: Args| {
            if event.wants_ack() {
                event.ack(args)
            } else {
                event.socket.emit("echo", args)
            }
        })
        .on("echo twice", async |event: Event, args: Args| {
            event.ack(args)?;
            event.ack("again")
        })
        .on(
            "ask",
            async |event: Event, (name, args, ms): (String, Vec<Any>, u64)| {
                let timeout = Duration::from_millis(ms);
                let answer = event
                    .socket
                    .timeout(timeout)
                    .emit_with_ack::<Vec<Any>>(&name, args);
                match answer.await {
                    Ok(answer) => event.ack(Answered { answer }),
                    Err(_) => event.ack(json!({ "error": true })),
                }
            },
        )
        .on("start", async |event: Event, (number,): (u64,)| {
            let Some(started) = event.socket.data::<Started>() else {
                return Ok(());
            };
            lock(&started.numbers).push(number);
            started.release.notified().await;
            event.socket.emit("finished", number)
        })
        .on("started", async |event: Event, ()| {
            let started = event.socket.data::<Started>();
            let numbers = started.map_or_else(Vec::new, |started| lock(&started.numbers).clone());
            event.ack((numbers,))
        })
        .on("release", async |event: Event, ()| {
            if let Some(started) = event.socket.data::<Started>() {
                started.release.notify_waiters();
            }
        })
        .on("burst", async |event: Event, (count,): (u64,)| {
            (0..count).try_for_each(|i| event.socket.emit("tick", i))
        })
        .on(
            "large",
            async |event: Event, (length, compress): (usize, bool)| {
                let socket = event.socket.compress(compress);
                socket.emit("large", "a".repeat(length))
            },
        )
        .on("volatile burst", async |event: Event, (count,): (u64,)| {
            (0..count).try_for_each(|i| event.socket.volatile().emit("tick", i))?;
            event.socket.emit("burst over", ())
        })
        .on(
            "reserved",
            async |event: Event, (name,): (String,)| match event.socket.emit(&name, ()) {
                Ok(()) => event.ack("sent"),
                Err(EmitError::Encode(_)) => event.ack("refused"),
                Err(error) => Err(error),
            },
        );
}

#[derive(Serialize)]
struct Answered {
    answer: Vec<Any>,
}

fn rooms(namespace: &Namespace) {
    let (senders, askers) = (namespace.clone(), namespace.clone());
    namespace
        .on("join", async |event: Event, (rooms,): (Vec<String>,)| {
            event
                .socket
                .join(rooms)
                .map_err(|error| error.to_string())?;
            event.ack(()).map_err(|error| error.to_string())
        })
        .on("leave", async |event: Event, (room,): (String,)| {
            event.socket.leave(room);
            event.ack(())
        })
        .on("rooms", async |event: Event, ()| {
            let mut rooms = event.socket.rooms();
            rooms.sort();
            event.ack((rooms,))
        })
        .on(
            "send",
            async move |event: Event, (target, name, args): (Target, String, Vec<Any>)| {
                target
                    .broadcast(&senders, &event.socket)
                    .emit(&name, args)?;
                event.ack(())
            },
        )
        .on(
            "ask all",
            async move |event: Event, (target, name, args): (Target, String, Vec<Any>)| {
                let answers = target
                    .broadcast(&askers, &event.socket)
                    .emit_with_ack::<(Any,)>(&name, args)
                    .await?;
                let error = answers.iter().any(Result::is_err);
                let answers = answers
                    .into_iter()
                    .flatten()
                    .map(|(answer,)| answer)
                    .collect();
                event.ack(AnsweredByAll { error, answers })
            },
        );
}

#[derive(Serialize)]
struct AnsweredByAll {
    error: bool,
    answers: Vec<Any>,
}

/// Whom a broadcast is for.
#[derive(Deserialize)]
pub struct Target {
    from: From,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    volatile: bool,
    #[serde(default)]
    local: bool,
    timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    Socket,
    Namespace,
}

impl Target {
    pub fn broadcast(&self, namespace: &Namespace, socket: &Socket) -> Broadcast {
        let mut broadcast = match self.from {
            From::Socket => socket.to(self.to.as_slice()),
            From::Namespace => namespace.to(self.to.as_slice()),
        };
        broadcast = broadcast.except(self.except.as_slice());
        if self.volatile {
            broadcast = broadcast.volatile();
        }
        if self.local {
            broadcast = broadcast.local();
        }
        match self.timeout {
            Some(timeout) => broadcast.timeout(Duration::from_millis(timeout)),
            None => broadcast,
        }
    }
}

fn data(namespace: &Namespace, records: Records) {
    let (leavers, roomers, visitors) = (records.clone(), records.clone(), records);
    namespace
        .on("set", async |event: Event, (value,): (Value,)| {
            event.socket.set(Kept(value));
            event.ack(())
        })
        .on("get", async |event: Event, ()| {
            let kept = event.socket.data::<Kept>();
            event.ack((kept.as_ref().map(|kept| &kept.0),))
        })
        .on("recovered", async |event: Event, ()| {
            event.ack((event.socket.recovered(),))
        })
        .on("auth", async |event: Event, ()| {
            let auth: Value = event.socket.handshake().auth().unwrap_or_default();
            event.ack((auth,))
        })
        .on("left", async move |event: Event, (id,): (String,)| {
            let mut records = leavers.lock();
            let left = records.left.entry(id).or_default();
            if left.reasons.is_empty() {
                left.waiting.push(event);
                return Ok(());
            }
            let reasons = left.reasons.clone();
            drop(records);
            event.ack((reasons,))
        })
        .on("rooms left", async move |event: Event, (id,): (String,)| {
            let rooms = roomers.lock().left.get(&id).map(|left| left.rooms.clone());
            event.ack(rooms.unwrap_or_default())
        })
        .on("seen", async move |event: Event, (tag,): (Value,)| {
            let seen = visitors.lock().seen.get(&tag.to_string()).copied();
            event.ack((seen.unwrap_or(0),))
        });
}

/// What our locks guard stays whole, whoever panics.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
