//! The server's state machine of one session. It is handed packets and the time, and hands back frames, events and
//! the next deadline; it reads no clock, no socket and no random source.

mod queue;
mod receive;
mod requests;
mod transmit;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    config::Config,
    dialect::{Dialect, Protocol},
    error::{CloseDetail, CloseReason},
    fifo::Fifo,
    handshake::{Transport, open_packet},
    outbox::Outbox,
    packet::{self, Frame, Message, Packet},
    sid::Sid,
    timer::{Timer, TimerTable},
};

pub use self::{queue::SendOptions, requests::RequestRefused};

/// The most bytes one long poll or one WebSocket batch takes from the queue.
pub const BATCH_BYTES: usize = 64 * 1024;

/// One client's session, whatever transport carries it.
///
/// ```text
///                 probe opens         "2probe"            "5"
///  ┌─────────┐ ──────────────► Waiting ──────► Confirmed ──────► ┌───────────┐
///  │ polling │                    │                │             │ websocket │
///  └────┬────┘ ◄──────────────────┴────────────────┘             └─────┬─────┘
///       │       timeout, close or any other packet: the probe          │
///       │       is dropped and polling simply goes on                  │
///       └──────────────────────────► closed ◄──────────────────────────┘
///         close, late heartbeat, bad packet, overlapping request, overflow:
///         exactly one Closed event
/// ```
///
/// The heartbeat of protocol 4 is a ping of the server, which waits for the pong; in protocol 3 the client pings, and
/// the server waits for that.
///
/// Data leaves only by `transport`, and `transport` changes in one place: that is all that order across the
/// upgrade needs.
///
/// After each call that takes `&mut self`, the caller drains [`poll_event`](Self::poll_event), then asks
/// [`poll_transmit`](Self::poll_transmit) for each transport that waits and [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    dialect: Dialect,
    state: State,
    detail: Option<CloseDetail>,
    transport: Transport,
    probe: Probe,
    websocket: WebSocketId,
    websocket_blocked: bool,
    get: Slot,
    post: Slot,
    pong_extended: bool,
    reading_paused: u32,
    timers: TimerTable,
    outbox: Outbox,
    /// Whether what was taken last for a long poll is to be compressed.
    is_batch_compressed: bool,
    is_watched: bool,
    events: Fifo<Event>,
}

/// What the application is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message has arrived.
    Message(Message),
    /// Only of a session that is [watched](Session::watch): a packet has arrived. If it is a message, that event follows.
    Packet(Box<Packet>),
    /// Only of a session that is watched: these packets were taken from the queue to be written, as one long-polling body
    /// or in one go.
    Flushed(Vec<Frame>),
    /// Only of a session that is watched: with that the queue is empty.
    Drained,
    /// Only of a session that is watched: a WebSocket has probed the session, and is answered.
    Upgrading,
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

/// Which wire something came from, or is for. A WebSocket that was replaced is told from the present one by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A long-polling request.
    Polling,
    /// The WebSocket with this id.
    WebSocket(WebSocketId),
}

/// Tells the WebSockets of one session apart; a session may see several fail before one upgrade succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketId(u32);

/// What a wire must do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmit {
    /// Nothing: wait.
    Idle,
    /// Write the frames of the batch, then ask again.
    Frames,
    /// Write the frames of the batch if there are any, then close the connection.
    Close,
}

/// A WebSocket was refused: the session is over, already on WebSocket, or already probing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRefused;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The application has closed the session: what is queued is still sent.
    Closing(CloseReason),
    Closed(CloseReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    None,
    /// The WebSocket is open and has said nothing yet.
    Waiting,
    /// It was probed: the answer is due.
    Answering,
    /// The answer is out, and each poll is released at once so that the client can move on.
    Confirmed,
}

/// Whether a long-polling request of one kind is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Idle,
    Parked,
}

impl Session {
    /// A session after a valid handshake on `transport`, in the dialect that it asked for. The open packet is the first
    /// thing it transmits; on long-polling the request of the handshake is parked for it.
    pub fn new(
        now: Instant,
        sid: Sid,
        transport: Transport,
        dialect: Dialect,
        config: Arc<Config>,
    ) -> Self {
        let mut timers = TimerTable::default();
        match dialect.protocol {
            Protocol::V4 => timers.set(Timer::Ping, now + config.ping_interval),
            Protocol::V3 => timers.set(Timer::Pong, now + heartbeat_timeout(&config, dialect)),
        }
        if transport == Transport::Polling {
            timers.set(Timer::FirstPoll, now + config.first_poll_timeout);
        }
        if let Some(timeout) = config.admission_timeout {
            timers.set(Timer::Admission, now + timeout);
        }
        let mut outbox = Outbox::default();
        outbox.push(open_packet(sid, transport, &config));
        if let Some(packet) = &config.initial_packet {
            outbox.push(packet.clone());
        }
        Self {
            config,
            dialect,
            state: State::Open,
            detail: None,
            transport,
            probe: Probe::None,
            websocket: WebSocketId(0),
            websocket_blocked: false,
            get: match transport {
                Transport::Polling => Slot::Parked,
                Transport::WebSocket => Slot::Idle,
            },
            post: Slot::Idle,
            pong_extended: false,
            reading_paused: 0,
            timers,
            outbox,
            is_batch_compressed: true,
            is_watched: false,
            events: Fifo::default(),
        }
    }

    // What the world did: see also `receive` and `requests`.

    /// The peer has broken the rules of the wire, such as by something that is not a packet.
    pub fn transport_failed(&mut self, from: Wire, detail: CloseDetail) {
        let is_packet = matches!(detail, CloseDetail::Undecodable(_));
        match self.role_of(from) {
            // A session that is told to close takes no packets any more, and so no broken ones.
            Role::Carrier if is_packet && self.state != State::Open => {}
            Role::Carrier => self.fail(detail),
            Role::Prober | Role::Stale => self.transport_closed(from, detail.reason()),
        }
    }

    /// The wire was closed by the peer, or has failed by itself.
    pub fn transport_closed(&mut self, from: Wire, reason: CloseReason) {
        match self.role_of(from) {
            Role::Carrier => self.end(reason),
            Role::Prober => self.drop_probe(),
            Role::Stale => {}
        }
    }

    /// The first WebSocket of a session that began on WebSocket.
    pub fn websocket_id(&self) -> WebSocketId {
        self.websocket
    }

    /// A WebSocket wants to take the session over.
    pub fn open_probe(&mut self, now: Instant) -> Result<WebSocketId, ProbeRefused> {
        let fits = self.state == State::Open
            && self.transport == Transport::Polling
            && self.probe == Probe::None;
        if !fits || !self.config.allow_upgrades {
            return Err(ProbeRefused);
        }
        self.timers.stop(Timer::FirstPoll);
        self.timers
            .set(Timer::Upgrade, now + self.config.upgrade_timeout);
        self.probe = Probe::Waiting;
        // What a former WebSocket could not take says nothing about this one.
        self.websocket_blocked = false;
        self.websocket.0 = self.websocket.0.wrapping_add(1);
        Ok(self.websocket)
    }

    /// Whether the WebSocket could not take the last bytes at once; volatile messages ask.
    pub fn set_websocket_blocked(&mut self, blocked: bool) {
        self.websocket_blocked = blocked;
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) named. Being early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Ping => {
                    self.give_memory_back();
                    self.outbox.push(packet::PING);
                    self.pong_extended = false;
                    self.await_sign_of_life(now);
                }
                // The sign of life may be among what was not read yet, and that is our doing. Writing shows whether
                // the client is still there.
                Timer::Pong if self.reading_paused > 0 => {
                    if self.outbox.is_empty() {
                        self.outbox.push(match self.dialect.protocol {
                            Protocol::V4 => packet::PING,
                            Protocol::V3 => packet::NOOP,
                        });
                    }
                    self.await_sign_of_life(now);
                }
                Timer::Pong => self.end(CloseReason::PingTimeout),
                Timer::Upgrade => self.drop_probe(),
                Timer::Admission => self.end(CloseReason::ForcedClose),
                Timer::FirstPoll => self.end(CloseReason::TransportClose),
                Timer::Close => self.end_closing(),
            }
        }
    }

    // What the application wants: see also `queue`.

    /// Sends what is queued, then ends the session for this reason.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.state == State::Open {
            self.state = State::Closing(reason);
            self.timers.stop_all();
            self.timers
                .set(Timer::Close, now + self.config.close_timeout);
            if self.probe != Probe::None {
                self.timers
                    .set(Timer::Upgrade, now + self.config.upgrade_timeout);
            }
        }
    }

    /// The application has admitted the session: the admission timer stops.
    pub fn admit(&mut self) {
        self.timers.stop(Timer::Admission);
    }

    /// The application has nobody on this session any more: the admission timer starts, unless it runs already.
    pub fn expect_admission(&mut self, now: Instant) {
        let timeout = self
            .config
            .admission_timeout
            .filter(|_| !self.is_unconnected());
        if let (State::Open, Some(timeout)) = (self.state, timeout) {
            self.timers.set(Timer::Admission, now + timeout);
        }
    }

    /// Whether the admission timer runs.
    pub fn is_unconnected(&self) -> bool {
        self.timers.is_set(Timer::Admission)
    }

    /// Asks the transports to read no further until as many [`resume_reading`](Self::resume_reading) have come.
    pub fn pause_reading(&mut self) {
        self.reading_paused += 1;
    }

    /// Takes one pause back. With the last one, a sign of life that is due gets its full time: it may be among what was
    /// not read.
    pub fn resume_reading(&mut self, now: Instant) {
        let was_paused = self.reading_paused > 0;
        self.reading_paused = self.reading_paused.saturating_sub(1);
        if was_paused && self.reading_paused == 0 && self.timers.is_set(Timer::Pong) {
            self.await_sign_of_life(now);
        }
    }

    /// Whether reading is paused. A session that has ended reads on, to see the end of its connection.
    pub fn is_reading_paused(&self) -> bool {
        self.reading_paused > 0 && self.state == State::Open
    }

    /// Whether messages are still taken from the application and the client.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// What exactly has gone wrong, if the session has ended by the peer's fault.
    pub fn close_detail(&self) -> Option<CloseDetail> {
        self.detail
    }

    /// The version of the protocol that the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.dialect.protocol
    }

    /// The transport that carries data now.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    // What must now happen: see also `transmit`.

    /// Whether this wire carries the session, or may come to.
    pub fn has_use_for(&self, wire: Wire) -> bool {
        self.role_of(wire) != Role::Stale
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there is an event.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// From now on the client has its full time to answer a ping, or in protocol 3 to send one.
    fn await_sign_of_life(&mut self, now: Instant) {
        let timeout = heartbeat_timeout(&self.config, self.dialect);
        self.timers.set(Timer::Pong, now + timeout);
    }

    /// The probing WebSocket is closed by the next `poll_transmit` of it, as it has become stale.
    fn drop_probe(&mut self) {
        self.probe = Probe::None;
        self.timers.stop(Timer::Upgrade);
    }

    fn role_of(&self, wire: Wire) -> Role {
        match (wire, self.transport) {
            (Wire::Polling, Transport::Polling) => Role::Carrier,
            (Wire::WebSocket(id), Transport::WebSocket) if id == self.websocket => Role::Carrier,
            (Wire::WebSocket(id), Transport::Polling)
                if id == self.websocket && self.probe != Probe::None =>
            {
                Role::Prober
            }
            _ => Role::Stale,
        }
    }

    fn end_closing(&mut self) {
        if let State::Closing(reason) = self.state {
            self.end(reason);
        }
    }

    fn fail(&mut self, detail: CloseDetail) {
        if !self.is_closed() {
            self.detail = Some(detail);
            self.end(detail.reason());
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if !self.is_closed() {
            self.state = State::Closed(reason);
            self.timers.stop_all();
            let dropped = self.outbox.clear();
            self.events.push_back(Event::Closed { reason, dropped });
        }
    }
}

/// How long a session may go without the sign of life that is due.
fn heartbeat_timeout(config: &Config, dialect: Dialect) -> Duration {
    match dialect.protocol {
        Protocol::V4 => config.ping_timeout,
        Protocol::V3 => config.ping_interval + config.ping_timeout,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Data travels here.
    Carrier,
    /// It may become the carrier.
    Prober,
    /// It carries nothing any more, and is to be closed.
    Stale,
}
