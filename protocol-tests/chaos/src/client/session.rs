//! The chat's contract on a connection: the tutorial's, with the answers and cursors of ours where the server has them.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::wire::{self, Packet};
use super::{Line, Way, broken, within};

/// What a client tells when it comes.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The secret by which the server knows the author.
    pub client_id: Option<String>,
    /// Everything after this is wanted.
    pub after: Option<u64>,
    pub epoch: Option<String>,
    /// The message there.
    pub last: Option<Seen>,
    /// Without an offset: how many of the last messages are wanted.
    pub history: Option<u64>,
}

/// What a client remembers of a message to know it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub key: String,
    pub at: i64,
}

/// What a client is told.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    Message {
        content: String,
        offset: u64,
        /// If the server says so.
        seen: Option<Seen>,
    },
    Answer {
        id: u64,
        arguments: Vec<Value>,
    },
    Epoch {
        name: String,
        last: u64,
    },
    Resync {
        epoch: String,
        first: u64,
        last: u64,
    },
    /// The next message is damaged, and nothing more comes.
    Unreadable,
    /// Something that the contract does not know.
    Other,
}

/// A connected client.
pub struct Session {
    line: Line,
    next_id: u64,
}

impl Session {
    /// Connects and joins the chat.
    pub async fn open(server: SocketAddr, way: Way, visit: &Visit) -> io::Result<Self> {
        let mut line = Line::open(server, way).await?;
        line.send(wire::connect(&visit.auth()));
        within(async {
            let first = line.next().await.and_then(|text| Packet::parse(&text));
            match first {
                Some(Packet::Connected) => Ok(()),
                Some(Packet::Refused(why)) => Err(broken(&why.to_string())),
                _ => Err(broken("the namespace cannot be joined")),
            }
        })
        .await?;
        Ok(Self { line, next_id: 0 })
    }

    /// Sends a message and returns the id by which it will be answered.
    pub fn say(&mut self, content: &str, key: &str) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let arguments = json!(["chat message", content, key]);
        self.line.send(wire::event(id, &arguments));
        id
    }

    /// What comes next, or `None` when the connection is over. Cancel safe.
    pub async fn next(&mut self) -> Option<Incoming> {
        let packet = Packet::parse(&self.line.next().await?);
        match packet {
            Some(Packet::Event(arguments)) => Some(event(&arguments)),
            Some(Packet::Ack(id, arguments)) => Some(Incoming::Answer { id, arguments }),
            Some(Packet::Disconnected) | None => None,
            Some(Packet::Connected | Packet::Refused(_)) => Some(Incoming::Other),
        }
    }
}

impl Visit {
    fn auth(&self) -> Value {
        let fields = [
            ("clientId", self.client_id.clone().map(Value::from)),
            ("serverOffset", self.after.map(Value::from)),
            ("epoch", self.epoch.clone().map(Value::from)),
            ("last", self.last.as_ref().map(Seen::to_json)),
            ("history", self.history.map(Value::from)),
        ];
        let named = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(named.collect())
    }
}

impl Seen {
    fn of(details: &Value) -> Option<Self> {
        let key = details.get("clientOffset")?.as_str()?.to_owned();
        let at = details.get("at")?.as_i64()?;
        Some(Self { key, at })
    }

    fn to_json(&self) -> Value {
        json!({"clientOffset": self.key, "at": self.at})
    }
}

fn event(arguments: &[Value]) -> Incoming {
    let name = arguments.first().and_then(Value::as_str);
    match (name, arguments.get(1), arguments.get(2)) {
        (Some("chat message"), Some(Value::String(content)), Some(Value::Number(offset))) => {
            match offset.as_u64() {
                Some(offset) => Incoming::Message {
                    content: content.clone(),
                    offset,
                    seen: arguments.get(3).and_then(Seen::of),
                },
                None => Incoming::Other,
            }
        }
        (Some("epoch"), Some(Value::String(name)), last) => Incoming::Epoch {
            name: name.clone(),
            last: last.and_then(Value::as_u64).unwrap_or(0),
        },
        (Some("resync"), Some(details), _) => {
            let number = |name| details.get(name).and_then(Value::as_u64).unwrap_or(0);
            let epoch = details.get("epoch").and_then(Value::as_str);
            Incoming::Resync {
                epoch: epoch.unwrap_or_default().to_owned(),
                first: number("first"),
                last: number("last"),
            }
        }
        (Some("unreadable"), Some(Value::String(_)), _) => Incoming::Unreadable,
        _ => Incoming::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let details = json!({"author": "ann", "clientOffset": "a-1", "at": 7});
        let message = [json!("chat message"), json!("hi"), json!(4), details];
        let expected = |seen| Incoming::Message {
            content: "hi".to_owned(),
            offset: 4,
            seen,
        };
        let seen = Seen {
            key: "a-1".to_owned(),
            at: 7,
        };
        assert_eq!(event(&message), expected(Some(seen)));
        assert_eq!(event(&message[..3]), expected(None));
        assert_eq!(event(&message[..2]), Incoming::Other);
        let expected = Incoming::Epoch {
            name: "e".to_owned(),
            last: 3,
        };
        assert_eq!(event(&[json!("epoch"), json!("e"), json!(3)]), expected);
        let details = json!({"epoch": "e", "first": 4, "last": 9});
        let expected = Incoming::Resync {
            epoch: "e".to_owned(),
            first: 4,
            last: 9,
        };
        assert_eq!(event(&[json!("resync"), details]), expected);
    }

    #[test]
    fn a_visit_says_only_what_it_knows() {
        assert_eq!(Visit::default().auth(), json!({}));
        let visit = Visit {
            after: Some(3),
            ..Visit::default()
        };
        assert_eq!(visit.auth(), json!({"serverOffset": 3}));
    }
}
