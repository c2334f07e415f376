//! A client that answers as the official one does, and comes back with what it remembers.

use serde::Deserialize;
use serde_json::{Value, json};
use socketio::{Config, Recovery, Server};

use crate::client::{Client, until};

/// What a client remembers over its connections, as the official one does.
#[derive(Default, Clone)]
pub struct Memory {
    pub pid: Option<String>,
    pub offset: Option<String>,
}

/// A client in the main namespace.
pub struct Visitor {
    pub client: Client,
    pub id: String,
    pub memory: Memory,
    pub recovered: bool,
}

impl Memory {
    pub async fn come(&self, io: &Server) -> Visitor {
        self.try_come(io, json!({})).await.unwrap()
    }

    /// Connects with an auth payload. The error is what the server says.
    pub async fn try_come(&self, io: &Server, auth: Value) -> Result<Visitor, Value> {
        let mut client = Client::open(io).await;
        client.send(&self.connect_packet(auth)).await;
        self.admitted(client).await
    }

    pub fn connect_packet(&self, auth: Value) -> String {
        let mut payload = json!({});
        if let Some(pid) = &self.pid {
            payload["pid"] = json!(pid);
            if let Some(offset) = &self.offset {
                payload["offset"] = json!(offset);
            }
        }
        for (key, value) in auth.as_object().unwrap() {
            payload[key] = value.clone();
        }
        format!("40{payload}")
    }

    pub async fn admitted(&self, mut client: Client) -> Result<Visitor, Value> {
        let reply = client.text().await;
        if let Some(error) = reply.strip_prefix("44") {
            return Err(serde_json::from_str(error).unwrap());
        }
        #[derive(Deserialize)]
        struct Reply {
            sid: String,
            pid: String,
        }
        let reply: Reply = serde_json::from_str(reply.strip_prefix("40").unwrap()).unwrap();
        let mut memory = self.clone();
        let recovered = memory.pid.as_ref() == Some(&reply.pid);
        memory.pid = Some(reply.pid);
        Ok(Visitor {
            client,
            id: reply.sid,
            memory,
            recovered,
        })
    }
}

impl Visitor {
    pub async fn new(io: &Server) -> Self {
        Memory::default().come(io).await
    }

    /// The next event without its offset.
    pub async fn event(&mut self) -> Value {
        let text = self.client.text().await;
        let mut event: Value = serde_json::from_str(text.strip_prefix("42").unwrap()).unwrap();
        let items = event.as_array_mut().unwrap();
        if let Some(Value::String(offset)) = items.last() {
            self.memory.offset = Some(offset.clone());
            // A number, so that it is told from one of the events' own strings.
            if offset.len() > 9 && offset.as_bytes()[8] == b'.' {
                items.pop();
            }
        }
        event
    }

    pub async fn expect(&mut self, event: Value) {
        assert_eq!(self.event().await, event);
    }

    /// Everything that was sent has come.
    pub async fn quiet(&mut self) {
        self.client.quiet().await;
    }

    /// Goes away without a word, and the server has noticed.
    pub async fn cut(self, io: &Server) -> Memory {
        let Self {
            client, id, memory, ..
        } = self;
        client.vanish();
        let main = io.of("/");
        until(|| main.socket(&id).is_none()).await;
        memory
    }
}

pub fn server() -> Server {
    server_with(Recovery::default())
}

pub fn server_with(recovery: Recovery) -> Server {
    Server::with_config(Config {
        connection_state_recovery: Some(recovery),
        ..Config::default()
    })
}
