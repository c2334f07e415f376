//! The client's state machine of one session, the mirror image of [`Session`](crate::session::Session) and pure like
//! it: it is handed packets and the time, and hands back requests, frames, events and the next deadline.
//!
//! It does what the official `engine.io-client` 6 does, and is the base of a client: such a client adds the requests,
//! the WebSocket and the clock. Reconnecting is not its business; a new connection is a new `ClientSession`.

mod receive;
mod transmit;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    error::{CloseReason, PushError},
    handshake::Transport,
    outbox::Outbox,
    packet::{Frame, Message},
};

/// The options of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The transport of the handshake. Default: long-polling.
    pub transport: Transport,
    /// Whether to move to WebSocket if the server offers that. Default: `true`.
    pub upgrade: bool,
    /// How long the handshake may take. Default: 20 s, as the official Socket.IO client.
    pub open_timeout: Duration,
    /// The bytes that may wait to be sent, each packet counted with 64 bytes on top. A single larger message is taken
    /// when nothing waits. Default: 2,000,000.
    pub max_buffered_bytes: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            transport: Transport::Polling,
            upgrade: true,
            open_timeout: Duration::from_secs(20),
            max_buffered_bytes: 2_000_000,
        }
    }
}

/// One session as its client sees it, whatever transport carries it.
///
/// ```text
///               open packet              close, and all is sent
///  ┌─────────┐ ────────────► ┌──────┐ ────────► closing ────────► ┌────────┐
///  │ opening │               │ open │                             │ closed │
///  └────┬────┘               └───┬──┘                             └────────┘
///       └────────────────────────┴─────────────────────────────────────▲
///         close packet, late ping, bad packet, failed request: exactly one Closed event
/// ```
///
/// The WebSocket of an upgrade has states of its own:
///
/// ```text
///          opened        2probe out     3probe in      GET and POST done     5 out
///  Connecting ──► ProbeDue ──► Probed ──────► Pausing ──────────► UpgradeDue ──► Carrier
///       └──────────┴─────────────┴──────────────┴──► dropped: polling simply goes on
/// ```
///
/// While it is `Pausing` no request begins; so when data leaves by the WebSocket, nothing is under way by any request,
/// which is all that order across the upgrade needs.
///
/// After each call that takes `&mut self`, the caller drains [`poll_event`](Self::poll_event), does what
/// [`poll_transmit`](Self::poll_transmit) says until it says nothing, and asks for
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    state: State,
    transport: Transport,
    websocket: WebSocket,
    is_websocket_blocked: bool,
    get: Slot,
    post: Slot,
    handshake: Option<Handshake>,
    /// When the handshake, or else the next ping, is overdue.
    deadline: Option<Instant>,
    /// One is enough, however many pings the server sends.
    is_pong_due: bool,
    is_farewell_due: bool,
    outbox: Outbox,
    events: VecDeque<Event>,
}

/// What the application is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done. Always before the first message.
    Opened,
    /// A message has arrived.
    Message(Message),
    /// The session goes on over WebSocket.
    Upgraded,
    /// The session has ended. Always the last event, and there is exactly one.
    Closed {
        /// Why.
        reason: CloseReason,
        /// How many packets were still queued, and are lost.
        dropped: usize,
    },
}

/// What must be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmit {
    /// Send a GET: with [`ClientSession::sid`], or for the handshake if there is none yet.
    Get,
    /// Send a POST of the batch.
    Post,
    /// Open a WebSocket: with [`ClientSession::sid`], or for the handshake if there is none yet.
    OpenWebSocket,
    /// Write the frames of the batch to the WebSocket.
    WriteWebSocket,
    /// Close the WebSocket behind what was written to it, or give up opening it.
    CloseWebSocket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    /// The application has closed the session: what is queued is still sent.
    Closing,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WebSocket {
    None,
    Wanted,
    Connecting,
    ProbeDue,
    Probed,
    Pausing,
    UpgradeDue,
    Carrier,
    /// It is of no more use, and to be closed.
    Leaving,
}

/// Whether a request of one kind is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Idle,
    InFlight,
}

/// What is kept of the open packet.
#[derive(Debug)]
struct Handshake {
    sid: Box<str>,
    /// The longest time between two pings.
    patience: Duration,
    max_payload: usize,
}

impl ClientSession {
    /// A session that is about to shake hands: [`poll_transmit`](Self::poll_transmit) says how.
    pub fn new(now: Instant, config: ClientConfig) -> Self {
        Self {
            state: State::Opening,
            transport: config.transport,
            websocket: match config.transport {
                Transport::Polling => WebSocket::None,
                Transport::WebSocket => WebSocket::Wanted,
            },
            deadline: now.checked_add(config.open_timeout),
            config,
            is_websocket_blocked: false,
            get: Slot::Idle,
            post: Slot::Idle,
            handshake: None,
            is_pong_due: false,
            is_farewell_due: false,
            outbox: Outbox::default(),
            events: VecDeque::new(),
        }
    }

    // What the world did: see also `receive`.

    /// The GET was answered, and the packets of its answer were [received](Self::receive).
    pub fn handle_get_answered(&mut self) {
        self.get = Slot::Idle;
        self.finish_pausing();
    }

    /// The POST was answered.
    pub fn handle_post_answered(&mut self) {
        self.post = Slot::Idle;
        self.finish_pausing();
    }

    /// The WebSocket is open.
    pub fn handle_websocket_open(&mut self) {
        if self.websocket == WebSocket::Connecting {
            self.websocket = match self.transport {
                Transport::Polling => WebSocket::ProbeDue,
                Transport::WebSocket => WebSocket::Carrier,
            };
        }
    }

    /// A request has failed or was refused, or the WebSocket has failed, was refused, or was closed by the server.
    pub fn transport_closed(&mut self, from: Transport, reason: CloseReason) {
        let role = self.role_of(from);
        if from == Transport::WebSocket {
            self.websocket = WebSocket::None;
        }
        if role == Role::Carrier {
            self.end(reason);
        }
    }

    /// Whether the WebSocket cannot take more for now. Until it can, nothing is to be written to it.
    pub fn set_websocket_blocked(&mut self, is_blocked: bool) {
        self.is_websocket_blocked = is_blocked;
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) named. Being early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.state == State::Opening {
            return self.end(CloseReason::TransportError);
        }
        self.end(CloseReason::PingTimeout);
        self.is_farewell_due = self.transport == Transport::Polling && self.post == Slot::Idle;
    }

    // What the application wants.

    /// Queues frames as one unit, also before the session is open. A full queue ends the session.
    pub fn send(&mut self, frames: &[Frame]) -> Result<(), PushError> {
        if !matches!(self.state, State::Opening | State::Open) {
            return Err(PushError::Closed);
        }
        if !self.outbox.fits(frames, self.config.max_buffered_bytes) {
            self.end(CloseReason::SlowConsumer);
            return Err(PushError::Overflow);
        }
        for frame in frames {
            self.outbox.push(frame.clone());
        }
        Ok(())
    }

    /// Queues frames as one unit if the transport can take them now; otherwise they are dropped, and the answer is
    /// false. They never overtake anything.
    pub fn send_volatile(&mut self, frames: &[Frame]) -> Result<bool, PushError> {
        let is_writable = self.state == State::Open && self.can_write() && self.outbox.is_empty();
        if matches!(self.state, State::Opening | State::Open) && !is_writable {
            return Ok(false);
        }
        self.send(frames).map(|()| true)
    }

    /// Sends what is queued, finishes an upgrade that is at its last step, then ends the session with `forced close`.
    /// A session that is not open yet ends at once.
    ///
    /// On long-polling the last POST tells the server. A GET that is still in flight is best dropped behind it: to the
    /// server, a GET that is lost before is an error.
    pub fn close(&mut self) {
        match self.state {
            State::Opening => self.end(CloseReason::ForcedClose),
            State::Open => self.state = State::Closing,
            State::Closing | State::Closed => {}
        }
    }

    /// The session's id, as soon as the server has given one.
    pub fn sid(&self) -> Option<&str> {
        self.handshake.as_ref().map(|handshake| &*handshake.sid)
    }

    /// Whether so many bytes more leave the queue at most half full.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.outbox.cost() + bytes <= self.config.max_buffered_bytes / 2
    }

    /// Whether nothing is queued.
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether the handshake is done and messages are still taken from the application.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The transport that carries data now.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    // What must now happen: see also `transmit`.

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// The one place where the transport changes.
    fn finish_pausing(&mut self) {
        let is_idle = self.get == Slot::Idle && self.post == Slot::Idle;
        if self.websocket == WebSocket::Pausing && is_idle {
            self.websocket = WebSocket::UpgradeDue;
            self.transport = Transport::WebSocket;
            self.events.push_back(Event::Upgraded);
        }
    }

    fn drop_probe(&mut self) {
        self.websocket = WebSocket::Leaving;
    }

    fn expect_ping(&mut self, now: Instant) {
        // A server may name any number; one that leads beyond the end of time is no deadline.
        let patience = self.handshake.as_ref().map(|handshake| handshake.patience);
        self.deadline = patience.and_then(|patience| now.checked_add(patience));
    }

    fn can_write(&self) -> bool {
        match self.transport {
            Transport::Polling => self.post == Slot::Idle && self.websocket != WebSocket::Pausing,
            Transport::WebSocket => !self.is_websocket_blocked,
        }
    }

    fn role_of(&self, wire: Transport) -> Role {
        match (wire, self.websocket) {
            _ if self.state == State::Closed => Role::Stale,
            (Transport::WebSocket, WebSocket::None | WebSocket::Leaving) => Role::Stale,
            (wire, _) if wire == self.transport => Role::Carrier,
            (Transport::WebSocket, _) => Role::Prober,
            (Transport::Polling, _) => Role::Stale,
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.deadline = None;
        self.is_pong_due = false;
        self.websocket = match self.websocket {
            WebSocket::None | WebSocket::Wanted => WebSocket::None,
            _ => WebSocket::Leaving,
        };
        let dropped = self.outbox.clear();
        self.events.push_back(Event::Closed { reason, dropped });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Data travels here.
    Carrier,
    /// It may become the carrier.
    Prober,
    /// It carries nothing any more.
    Stale,
}
