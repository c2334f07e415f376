//! The chat on the wire. It is the official tutorial's, so that its page works here unchanged, with answers for clients
//! that bring a secret name of their own, `auth.clientId`.
//!
//! | from | event | arguments | acknowledgement |
//! | --- | --- | --- | --- |
//! | client | `chat message` | `content`: 1 byte to 8 KiB of text; `clientOffset`: 1 to 128 bytes, the client's own name for the message | with `auth.clientId`: `{offset, epoch, duplicate}` or `{error, message}`; without: called with nothing when the message is stored, otherwise not called |
//! | server | `chat message` | `content`, `serverOffset`, `{author, clientOffset, at}` | |
//! | client | `history` | `before`: an offset; `limit`: at most 256 | `{messages, first}`: the newest before that offset, ascending, each as the arguments of `chat message`; the oldest offset there is |
//! | server | `epoch` | the name of this history, its last offset, its first one that is kept | |
//! | server | `resync` | `{epoch, first, last}` | |
//! | server | `unreadable` | a sentence for people | |
//!
//! With `--recovery` the last three have one more argument, which is the client's own business; messages have not, as they
//! are caught up with by their offset.
//!
//! After `unreadable` the server ends the connection: the next message for this client, or the last it says it has, is
//! stored, and is not what was written. What the client has may then be the only good copy, and it keeps that. It was damaged while the server ran, or in a database too large to be read as a whole at the start. Whoever
//! asks again is told again until the database is repaired or restored.
//!
//! `error` is `invalid` or `conflict`, which are final, or `busy` or `unavailable`, which are to be tried again.
//!
//! What is below the first offset that is kept was forgotten, by `--keep-messages` and its like, and whoever has it should
//! forget it too. A client with `auth.clientId` learns that offset when it connects, and whenever it asks for `history`,
//! where `limit` may be 0 to learn nothing else; the page asks each minute. An empty history has a first offset of one
//! above its last. A browser that does not come back keeps what it has: nobody can tell it.
//!
//! What a client may send as `auth`:
//!
//! - `clientId`: 16 to 64 characters of the URL-safe base64 alphabet, random and kept secret. It gets answers, and
//!   `epoch` before anything else. One of another shape is refused with `invalid clientId`.
//! - `serverOffset`: an integer. Everything after it follows, in order, then what is new; 0 is the beginning.
//! - `epoch`: the history that offset is of.
//! - `last`: the message at that offset, as `{clientOffset, at}`. By it a client is told of a history that was set back
//!   behind it and has gone on under its old name since, as when a folder is restored with everything in it.
//! - `history`: without an offset, how many of the last messages to begin with.
//!
//! If the offset, its epoch or the message there does not fit, `resync` comes first, and then what a client without an
//! offset gets. What a client does not name is not compared: the tutorial's, which names an offset alone, is told only if
//! that is beyond the end or forgotten, and does not know the word.

mod auth;
mod delivery;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use event_log::{Append, AppendError, Appended, Bounds, Event as Stored, Log, Offset};
use serde::Serialize;
use serde_json::Value;
use socketio::{ConnectError, Event, EventPacket, Server, Socket};
use tokio::sync::watch;

use self::{auth::Visitor, delivery::Delivery};

/// The one stream of this chat.
pub const STREAM: &str = "chat";

const MESSAGE: &str = "chat message";
const MAX_CONTENT: usize = 8 * 1024;
const MAX_KEY: usize = 128;

/// The history one request may ask for: as much as a page of the log.
const MAX_PAGE: u64 = 256;

/// A chat on a Socket.IO server, with everything that was ever said in a log.
#[derive(Clone)]
pub struct Chat {
    log: Log<EventPacket>,
    history: u64,
    /// Messages being answered hold a receiver each, so that a stop can wait for the last of them.
    answering: watch::Sender<()>,
}

/// The answer to a client that has an id.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Stored {
        offset: u64,
        epoch: String,
        duplicate: bool,
    },
    Refused {
        error: &'static str,
        message: String,
    },
}

#[derive(Serialize)]
struct Details<'a> {
    author: &'a str,
    #[serde(rename = "clientOffset")]
    client_offset: &'a str,
    at: i64,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<Value>,
    first: u64,
}

/// How an event of the log travels: encoded once, whoever gets it. For `Log::open`.
pub fn encoder(io: &Server) -> impl Fn(&Stored) -> EventPacket + Send + Sync + 'static {
    let namespace = io.of("/");
    move |stored| {
        let (content, offset, details) = arguments_of(stored);
        namespace
            .encode(MESSAGE, (content, offset, details))
            .expect("strings and numbers can be encoded")
    }
}

impl Chat {
    /// A chat that shows `history` messages to whoever names no offset.
    pub fn new(log: Log<EventPacket>, history: u64) -> Self {
        Self {
            log,
            history,
            answering: watch::Sender::new(()),
        }
    }

    /// Puts the chat's handlers on the server.
    pub fn install(&self, io: &Server) {
        let (deliver, store, page) = (self.clone(), self.clone(), self.clone());
        io.of("/")
            .middleware(async |socket: Socket, auth: Value| {
                let visitor =
                    Visitor::from_auth(&auth).map_err(|_| ConnectError::new("invalid clientId"))?;
                socket.set(visitor);
                Ok(())
            })
            .on_connect(async move |socket: Socket| deliver.begin(&socket))
            .on(MESSAGE, async move |event: Event, arguments: Vec<Value>| {
                store.receive(event, &arguments).await
            })
            .on(
                "history",
                async move |event: Event, arguments: Vec<Value>| {
                    page.history(event, &arguments).await
                },
            )
            .on_disconnect(async |socket: Socket, _reason| {
                if let Some(delivery) = socket.data::<Delivery>() {
                    delivery.stop();
                }
            });
    }

    /// Stores and answers what was accepted, and accepts nothing more.
    pub async fn close(&self) -> Result<(), event_log::StoreError> {
        let result = self.log.close().await;
        self.answering.closed().await;
        result
    }

    /// What the log has counted since the start.
    pub fn stats(&self) -> event_log::Stats {
        self.log.stats()
    }

    fn begin(&self, socket: &Socket) {
        let Some(visitor) = socket.data::<Visitor>() else {
            return;
        };
        if visitor.identity.is_proved() {
            // An error says that the client has left already.
            let Bounds { first, last } = self.log.bounds(STREAM);
            let _ = socket.emit("epoch", (self.log.epoch().as_str(), last.0, first.0));
        }
        Delivery::begin(socket, self.log.clone(), &visitor, self.history);
    }

    async fn receive(&self, event: Event, arguments: &[Value]) {
        let _answering = self.answering.subscribe();
        let Some(visitor) = event.socket.data::<Visitor>() else {
            return;
        };
        let result = match message_of(arguments) {
            Ok((content, key)) => {
                let append = Append {
                    stream: STREAM.to_owned(),
                    author: visitor.identity.author_of(key, event.socket.id()),
                    key: key.to_owned(),
                    content: Bytes::copy_from_slice(content.as_bytes()),
                    at: unix_milliseconds(),
                };
                self.log
                    .append(append)
                    .await
                    .map_err(|error| (word_of(&error), error.to_string()))
            }
            Err(why) => Err(("invalid", why.to_owned())),
        };
        if let Err((word, message)) = &result {
            tracing::debug!(socket = %event.socket.id(), error = word, message, "message not stored");
        }
        let _gone = match (visitor.identity.is_proved(), result) {
            (true, result) => event.ack(self.answer(result)),
            // The tutorial's client takes any answer for a success.
            (false, Ok(_)) => event.ack(()),
            (false, Err(_)) => Ok(()),
        };
    }

    fn answer(&self, result: Result<Appended, (&'static str, String)>) -> Answer {
        match result {
            Ok(Appended { offset, duplicate }) => Answer::Stored {
                offset: offset.0,
                epoch: self.log.epoch().to_string(),
                duplicate,
            },
            Err((error, message)) => Answer::Refused { error, message },
        }
    }

    async fn history(&self, event: Event, arguments: &[Value]) {
        let _answering = self.answering.subscribe();
        let (Some(before), Some(limit)) = (argument(arguments, 0), argument(arguments, 1)) else {
            let message = "expected two whole numbers: before, and how many".to_owned();
            let _gone = event.ack(Answer::Refused {
                error: "invalid",
                message,
            });
            return;
        };
        let limit = limit.min(MAX_PAGE) as usize;
        let first = self.log.bounds(STREAM).first.0;
        let _gone = match self.log.page_before(STREAM, Offset(before), limit).await {
            Ok(page) => event.ack(Page {
                messages: page
                    .iter()
                    .map(|stored| json_of(arguments_of(stored)))
                    .collect(),
                first,
            }),
            Err(error) => {
                tracing::warn!(%error, "history cannot be read");
                event.ack(Answer::Refused {
                    error: "unavailable",
                    message: "history cannot be read now".to_owned(),
                })
            }
        };
    }
}

/// The arguments of the event `chat message`, as the server sends it.
fn arguments_of(stored: &Stored) -> (std::borrow::Cow<'_, str>, u64, Details<'_>) {
    let details = Details {
        author: &stored.author,
        client_offset: &stored.key,
        at: stored.at,
    };
    (
        String::from_utf8_lossy(&stored.content),
        stored.offset.0,
        details,
    )
}

fn json_of(arguments: impl Serialize) -> Value {
    serde_json::to_value(arguments).expect("strings and numbers can be encoded")
}

/// The arguments of the event `chat message`, as a client sends it.
fn message_of(arguments: &[Value]) -> Result<(&str, &str), &'static str> {
    let (Some(Value::String(content)), Some(Value::String(key))) =
        (arguments.first(), arguments.get(1))
    else {
        return Err("expected two strings: content and clientOffset");
    };
    if content.is_empty() || content.len() > MAX_CONTENT {
        return Err("content must have 1 to 8192 bytes");
    }
    if key.is_empty() || key.len() > MAX_KEY {
        return Err("clientOffset must have 1 to 128 bytes");
    }
    Ok((content, key))
}

fn argument(arguments: &[Value], index: usize) -> Option<u64> {
    arguments.get(index).and_then(Value::as_u64)
}

/// The first two are final, the others are to be retried.
fn word_of(error: &AppendError) -> &'static str {
    match error {
        AppendError::Invalid(_) => "invalid",
        AppendError::Conflict => "conflict",
        AppendError::Busy => "busy",
        // Visitors come back to the chat's next start, whose log is open.
        AppendError::Unavailable | AppendError::Closed => "unavailable",
    }
}

/// When a message was said, for people to read; nothing is decided by it.
#[expect(
    clippy::disallowed_methods,
    reason = "shown to people, and used for no decision"
)]
fn unix_milliseconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(arguments: &Value) -> Result<(&str, &str), &'static str> {
        message_of(arguments.as_array().unwrap())
    }

    #[test]
    fn a_message_is_a_content_and_a_key_within_limits() {
        assert_eq!(check(&json!(["hello", "a-1"])), Ok(("hello", "a-1")));
        assert_eq!(
            check(&json!(["hello", "a-1", "more", null])),
            Ok(("hello", "a-1"))
        );
        assert!(check(&json!(["é".repeat(4096), "k".repeat(128)])).is_ok());
        for broken in [
            json!([]),
            json!(["hello"]),
            json!([null, "a-1"]),
            json!([{"toString": 1}, "a-1"]),
            json!(["hello", 1]),
            json!(["", "a-1"]),
            json!(["hello", ""]),
            json!(["x".repeat(8193), "a-1"]),
            json!(["é".repeat(4097), "a-1"]),
            json!(["hello", "k".repeat(129)]),
        ] {
            assert!(check(&broken).is_err(), "{broken}");
        }
    }
}
