//! Engine.IO alone: echo, the commands that begin with `!`, and a record of every session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engineio::{
    CloseReason, Frame, Message, Sid,
    server::{Handler, Link},
};

/// The application behind `/engine.io/`.
#[derive(Default)]
pub struct Fixture {
    /// What is known of each session, by its id. Guards plain values for as long as one call takes.
    known: Mutex<HashMap<String, Record>>,
}

#[derive(Default)]
struct Record {
    messages: usize,
    reasons: Vec<String>,
    /// Who wants to know when the session closes.
    waiting: Vec<Arc<Link<Fixture>>>,
}

impl Handler for Fixture {
    type Data = ();

    fn on_open(&self, sid: Sid, _request: &http::request::Parts) {
        self.known().insert(sid.to_string(), Record::default());
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
    fn known(&self) -> MutexGuard<'_, HashMap<String, Record>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obey(&self, link: &Arc<Link<Self>>, command: &str) {
        let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
        let count = argument.parse::<usize>().unwrap_or(0);
        match name {
            "close" => link.close(CloseReason::ForcedClose),
            "burst" => (0..count).for_each(|i| say(link, &i.to_string())),
            "drip" => {
                // Owned by nobody: it ends by itself, at the latest when the session does.
                tokio::spawn(drip(link.clone(), count));
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
        serde_json::json!({ "messages": self.messages, "reasons": self.reasons }).to_string()
    }
}

/// Sends a text, unless the session is over: its record says so then.
fn say(link: &Link<Fixture>, text: &str) {
    let _closed = link.push(&[Frame::message(text)]);
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
