//! The server's ends of the connections: streams that have only what the network has delivered, and write into its hands.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Ready, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chaos::rng::Rng;
use engineio::server::{Listener, Peer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ConnId, End};

/// All connections of one process, as its kernel holds them. Cheap to clone; a new process gets a new one.
#[derive(Clone)]
pub struct Pipes(Arc<Mutex<State>>);

struct State {
    connections: BTreeMap<ConnId, Connection>,
    /// Arrived and not accepted yet.
    backlog: VecDeque<ConnId>,
    acceptor: Option<Waker>,
    /// What the process has done since it was asked last.
    sent: Vec<(ConnId, Sent)>,
    /// Whoever runs the process wants to know that there is something in `sent`.
    observer: Option<Waker>,
    rng: Rng,
    /// How many bytes a connection takes before the peer has read some.
    room: usize,
    is_frozen: bool,
}

#[derive(Default)]
struct Connection {
    inbox: VecDeque<u8>,
    /// What follows the inbox.
    end: Option<End>,
    room: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What the process did with a connection.
#[derive(Debug)]
pub enum Sent {
    Bytes(Vec<u8>),
    /// It writes no more. May be said twice.
    Closed,
}

impl Pipes {
    pub fn new(rng: Rng, room: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            connections: BTreeMap::new(),
            backlog: VecDeque::new(),
            acceptor: None,
            sent: Vec::new(),
            observer: None,
            rng,
            room,
            is_frozen: false,
        })))
    }

    /// A connection has arrived.
    pub fn arrive(&self, id: ConnId) {
        let mut state = self.lock();
        let room = state.room;
        let connection = Connection {
            room,
            ..Connection::default()
        };
        state.connections.insert(id, connection);
        state.backlog.push_back(id);
        wake(state.acceptor.take());
    }

    /// Whether the process has this connection.
    pub fn has(&self, id: ConnId) -> bool {
        self.lock().connections.contains_key(&id)
    }

    pub fn deliver(&self, id: ConnId, bytes: &[u8]) {
        self.with(id, |connection| {
            connection.inbox.extend(bytes);
            wake(connection.reader.take());
        });
    }

    pub fn deliver_end(&self, id: ConnId, end: End) {
        self.with(id, |connection| {
            connection.end.get_or_insert(end);
            wake(connection.reader.take());
            wake(connection.writer.take());
        });
    }

    /// The peer has taken so many bytes.
    pub fn taken(&self, id: ConnId, bytes: usize) {
        self.with(id, |connection| {
            connection.room += bytes;
            wake(connection.writer.take());
        });
    }

    /// What the process has done with its connections since the last time.
    pub fn take_sent(&self) -> Vec<(ConnId, Sent)> {
        std::mem::take(&mut self.lock().sent)
    }

    /// Resolves when there is something to take.
    pub async fn has_sent(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.sent.is_empty() {
                state.observer = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// How many connections the process has accepted and not closed.
    pub fn accepted(&self) -> usize {
        let state = self.lock();
        state.connections.len() - state.backlog.len()
    }

    /// The process is dead: what it does from now on, as it is taken down, nobody sees. Says which connections it had.
    pub fn freeze(&self) -> Vec<ConnId> {
        let mut state = self.lock();
        state.is_frozen = true;
        state.connections.keys().copied().collect()
    }

    fn with(&self, id: ConnId, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.lock().connections.get_mut(&id) {
            change(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(&mut self, id: ConnId, sent: Sent) {
        if !self.is_frozen {
            self.sent.push((id, sent));
            wake(self.observer.take());
        }
    }
}

/// Waking only queues a task, so it may be done under the lock.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Accepts what arrives.
pub struct Port(pub Pipes);

impl Listener for Port {
    type Stream = Stream;
    type Handshake = Ready<io::Result<(Stream, Peer)>>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        let id = poll_fn(|context| {
            let mut state = self.0.lock();
            match state.backlog.pop_front() {
                Some(id) => Poll::Ready(id),
                None => {
                    state.acceptor = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        let stream = Stream {
            id,
            pipes: self.0.clone(),
        };
        Ok(ready(Ok((stream, Peer::default()))))
    }
}

/// The server's end of a connection.
pub struct Stream {
    id: ConnId,
    pipes: Pipes,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.pipes.lock();
        let State {
            connections, rng, ..
        } = &mut *state;
        let Some(connection) = connections.get_mut(&self.id) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if connection.inbox.is_empty() {
            return match connection.end {
                Some(End::Fin) => Poll::Ready(Ok(())),
                Some(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => {
                    connection.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        // A read may give less than there is, as a kernel's may.
        let most = connection.inbox.len().min(buffer.remaining());
        let count = if rng.chance(100) {
            rng.size(1..most as u64 + 1)
        } else {
            most
        };
        let bytes: Vec<u8> = connection.inbox.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.pipes.lock();
        let State {
            connections, rng, ..
        } = &mut *state;
        let Some(connection) = connections.get_mut(&self.id) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if connection.end == Some(End::Reset) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = data.len().min(connection.room);
        if most == 0 && !data.is_empty() {
            connection.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = if most > 1 && rng.chance(100) {
            rng.size(1..most as u64 + 1)
        } else {
            most
        };
        connection.room -= count;
        state.send(self.id, Sent::Bytes(data[..count].to_vec()));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipes.lock().send(self.id, Sent::Closed);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.pipes.lock();
        state.connections.remove(&self.id);
        state.send(self.id, Sent::Closed);
    }
}
