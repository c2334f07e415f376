//! Engine.IO alone: echo, the commands that begin with `!`, and a record of every session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engineio::{
    CloseReason, Frame, Message, SendOptions, Sid,
    packet::Packet,
    server::{ConnectionError, Engine, Handler, Link},
    session::Event as SessionEvent,
};
use serde_json::{Value, json};

use crate::{layers::User, socket::lock};

/// The application behind `/engine.io/`.
pub struct Fixture {
    /// What is known of each session, by its id. Guards plain values for as long as one call takes.
    known: Mutex<HashMap<String, Record>>,
    told: Told,
}

/// What hooks were told: of refused requests code, message and URL, and of sessions by their ids what happened.
#[derive(Clone, Default)]
pub struct Told {
    refused: Arc<Mutex<Vec<(u8, String, String)>>>,
    events: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Told {
    pub fn refused(&self, error: &ConnectionError<'_>) {
        let url = error.request.uri.to_string();
        lock(&self.refused).push((error.code, error.message.clone(), url));
    }

    pub fn happened(&self, sid: &Sid, event: &SessionEvent) {
        let name = match event {
            SessionEvent::Packet(packet) => match &**packet {
                Packet::Message(_) => "message",
                Packet::Ping(_) => "ping",
                Packet::Pong(_) => "pong",
                _ => "packet",
            },
            SessionEvent::Flushed(_) => "flush",
            SessionEvent::Drained => "drain",
            SessionEvent::Upgrading => "upgrading",
            SessionEvent::Upgraded => "upgrade",
            SessionEvent::Message(_) | SessionEvent::Closed { .. } => return,
        };
        let mut events = lock(&self.events);
        events
            .entry(sid.to_string())
            .or_default()
            .push(name.to_owned());
    }

    /// The refused requests whose URL contains this.
    fn refused_with(&self, part: &str) -> String {
        let refused = lock(&self.refused).clone();
        let refused = refused.into_iter().filter(|(_, _, url)| url.contains(part));
        json!(
            refused
                .map(|(code, message, _)| (code, message))
                .collect::<Vec<_>>()
        )
        .to_string()
    }

    fn events_of(&self, sid: &str) -> String {
        json!(lock(&self.events).get(sid)).to_string()
    }
}

#[derive(Default)]
struct Record {
    /// What the request of the handshake said.
    request: Value,
    messages: usize,
    reasons: Vec<String>,
    /// Who wants to know when the session closes.
    waiting: Vec<Arc<Link<Fixture>>>,
}

impl Handler for Fixture {
    type Data = ();

    fn on_open(&self, sid: Sid, request: &http::request::Parts) {
        let query = request.uri.query().unwrap_or_default();
        let x = query.split('&').find_map(|pair| pair.strip_prefix("x="));
        let user = request.extensions.get::<User>().map(|user| &user.0);
        let record = Record {
            request: json!({ "x": x, "user": user }),
            ..Record::default()
        };
        self.known().insert(sid.to_string(), record);
    }

    fn on_message(&self, link: &Arc<Link<Self>>, message: Message) {
        if let Some(record) = self.known().get_mut(&link.sid().to_string()) {
            record.messages += 1;
        }
        match message {
            Message::Text(text) => {
                let text = String::from_utf8_lossy(&text);
                match text.strip_prefix('!') {
                    Some(command) => self.obey(link, command),
                    None => say(link, &text),
                }
            }
            Message::Binary(data) => {
                let _closed = link.push(&[Frame::Binary(data)]);
            }
        }
    }

    fn on_close(&self, link: &Arc<Link<Self>>, reason: CloseReason) {
        let mut known = self.known();
        let Some(record) = known.get_mut(&link.sid().to_string()) else {
            return;
        };
        record.reasons.push(reason.to_string());
        let status = record.to_json();
        for waiting in record.waiting.drain(..) {
            say(&waiting, &status);
        }
    }
}

impl Fixture {
    pub fn new(told: Told) -> Self {
        Self {
            known: Mutex::default(),
            told,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Record>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obey(&self, link: &Arc<Link<Self>>, command: &str) {
        let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
        let count = argument.parse::<usize>().unwrap_or(0);
        match name {
            "close" => link.close(CloseReason::ForcedClose),
            "burst" => (0..count).for_each(|i| say(link, &i.to_string())),
            "plain" => {
                let options = SendOptions {
                    compress: false,
                    ..SendOptions::default()
                };
                let _closed = link.push_with(&[Frame::message(&"a".repeat(count))], options);
            }
            "drip" => {
                // Owned by nobody: it ends by itself, at the latest when the session does.
                tokio::spawn(drip(link.clone(), count));
            }
            "request" => {
                let sid = link.sid().to_string();
                let request = self
                    .known()
                    .get(&sid)
                    .map(|record| record.request.to_string());
                say(link, &request.unwrap_or_default());
            }
            "refused" => say(link, &self.told.refused_with(argument)),
            "events" => say(link, &self.told.events_of(argument)),
            "stop" => {
                // Ends with the server.
                tokio::spawn(stop(link.engine().clone()));
            }
            "status" => say(link, &self.status(argument)),
            "closed" => {
                let mut known = self.known();
                match known.get_mut(argument) {
                    Some(record) if record.reasons.is_empty() => record.waiting.push(link.clone()),
                    Some(record) => say(link, &record.to_json()),
                    None => say(link, "null"),
                }
            }
            "open" => {
                let open = self
                    .known()
                    .values()
                    .filter(|record| record.reasons.is_empty())
                    .count();
                say(link, &open.to_string());
            }
            _ => {}
        }
    }

    fn status(&self, sid: &str) -> String {
        self.known()
            .get(sid)
            .map_or("null".to_owned(), Record::to_json)
    }
}

impl Record {
    fn to_json(&self) -> String {
        json!({ "messages": self.messages, "reasons": self.reasons }).to_string()
    }
}

/// Sends a text, unless the session is over: its record says so then.
fn say(link: &Link<Fixture>, text: &str) {
    let _closed = link.push(&[Frame::message(text)]);
}

/// Closes the server, then tells by which reasons its sessions have closed. A second time does no harm.
async fn stop(engine: Arc<Engine<Fixture>>) {
    engine.close().await;
    engine.close().await;
    let known = engine.handler().known();
    let reasons: HashMap<_, _> = known
        .iter()
        .map(|(sid, record)| (sid, &record.reasons))
        .collect();
    println!("{}", json!({ "stopped": reasons }));
}

async fn drip(link: Arc<Link<Fixture>>, count: usize) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for i in 0..count {
        ticks.tick().await;
        if !link.is_open() {
            return;
        }
        say(&link, &i.to_string());
    }
}
