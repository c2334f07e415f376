//! A Socket.IO client of our own, from the bytes up: it shares no line with the servers it tests.
//!
//! `wire` is the text of packets, `http` and `polling` and `websocket` move it, `session` speaks the chat's contract.

mod http;
mod polling;
mod session;
mod websocket;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

pub use session::{Incoming, Seen, Session, Visit};

/// How long a connection may take until it is open.
const OPEN_WITHIN: Duration = Duration::from_secs(3);

/// By which transports a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    WebSocket,
    Polling,
    /// Polling, and then an upgrade.
    Upgrade,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Polling, Self::Upgrade];
}

/// An open Engine.IO connection. What it carries are the messages, without their type.
///
/// It is closed when it is dropped: without a word, as a client that crashes.
pub struct Line {
    outgoing: mpsc::UnboundedSender<String>,
    incoming: mpsc::Receiver<String>,
    task: AbortHandle,
}

/// The task's end of a line.
struct Ends {
    /// Closed when the line is dropped.
    outgoing: mpsc::UnboundedReceiver<String>,
    incoming: mpsc::Sender<String>,
}

impl Line {
    /// Connects and waits for the handshake.
    pub async fn open(server: SocketAddr, way: Way) -> io::Result<Self> {
        let (to_task, outgoing) = mpsc::unbounded_channel();
        let (incoming, from_task) = mpsc::channel(64);
        let ends = Ends { outgoing, incoming };
        let task = match way {
            Way::WebSocket => {
                let stream = within(websocket::open(server, None)).await?;
                tokio::spawn(websocket::run(stream, ends)).abort_handle()
            }
            Way::Polling | Way::Upgrade => {
                let polling = within(polling::Polling::open(server)).await?;
                tokio::spawn(polling.run(ends, way == Way::Upgrade)).abort_handle()
            }
        };
        Ok(Self {
            outgoing: to_task,
            incoming: from_task,
            task,
        })
    }

    /// Sends a message, unless the connection is over; then `next` says so.
    pub fn send(&self, message: String) {
        let _ = self.outgoing.send(message);
    }

    /// The next message, or `None` when the connection is over.
    pub async fn next(&mut self) -> Option<String> {
        self.incoming.recv().await
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn within<T>(open: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(OPEN_WITHIN, open)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
