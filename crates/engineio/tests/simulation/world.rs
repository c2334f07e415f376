//! The fake wire between the two sessions: requests and WebSockets with delays, and with cuts at any moment.

mod applications;
mod checks;
mod client;
mod server;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engineio::{
    CloseReason, Config, Frame, Message, Packet, Transport,
    client_session::{ClientConfig, ClientSession},
    session::Session,
};

use self::{
    client::Client,
    server::{Incoming, Server},
};
use crate::{end::End, rng::Rng, seen::Seen};

const MILLI: Duration = Duration::from_millis(1);

/// A request or a WebSocket.
type Id = u64;

pub struct World {
    start: Instant,
    now: Instant,
    rng: Rng,
    is_told: bool,
    mood: Mood,
    config: Arc<Config>,
    client_config: ClientConfig,
    last_id: Id,
    /// What is under way, by the time of its arrival.
    wire: BTreeMap<(Instant, u64), (Id, Arrival)>,
    sequence: u64,
    /// What was cut: nothing of it arrives any more but the news.
    cut: HashSet<Id>,
    /// Nothing of these arrives any more, and nobody hears of that.
    silent: HashSet<Id>,
    server: Server,
    client: Client,
    seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// All is fast, and nobody closes.
    Calm,
    /// Some things take long, reading pauses, and somebody may close.
    Slow,
    /// As slow, and connections are cut.
    Bad,
}

#[derive(Debug)]
enum Arrival {
    GetAtServer { is_handshake: bool },
    GetAnswer(Option<Bytes>),
    PostAtServer { body: Bytes, is_whole: bool },
    PostAnswer { is_ok: bool },
    SocketAtServer { is_handshake: bool },
    SocketAnswer { is_ok: bool },
    FrameAtServer(Frame),
    FrameAtClient(Frame),
    EndAtServer,
    EndAtClient,
    RequestLostAtServer,
    RequestLostAtClient,
    ServerUnblocked,
    ClientUnblocked,
}

impl World {
    pub fn new(start: Instant, seed: u64, is_told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let max_buffered_bytes = if rng.chance(150) { 3_000 } else { 1_000_000 };
        let config = Config {
            ping_interval: 3_000 * MILLI,
            ping_timeout: 2_000 * MILLI,
            upgrade_timeout: 700 * MILLI,
            first_poll_timeout: 2_000 * MILLI,
            close_timeout: 3_000 * MILLI,
            max_payload: 60 + rng.below(1_000) as usize,
            max_buffered_bytes,
            ..Config::default()
        };
        let client_config = ClientConfig {
            transport: if rng.chance(150) {
                Transport::WebSocket
            } else {
                Transport::Polling
            },
            upgrade: rng.chance(850),
            open_timeout: 6_000 * MILLI,
            max_buffered_bytes,
        };
        Self {
            start,
            now: start,
            is_told,
            mood: match rng.below(4) {
                0 => Mood::Calm,
                1 => Mood::Slow,
                _ => Mood::Bad,
            },
            config: Arc::new(config),
            last_id: 0,
            wire: BTreeMap::new(),
            sequence: 0,
            cut: HashSet::new(),
            silent: HashSet::new(),
            server: Server::default(),
            client: Client {
                session: ClientSession::new(start, client_config.clone()),
                journal: End::default(),
                get: None,
                post: None,
                socket: None,
                last_arrival: start,
            },
            client_config,
            seen: Seen::default(),
            rng,
        }
    }

    /// Traffic and trouble for a while, then calm, then the end of both sessions.
    pub fn run(mut self) -> Seen {
        let actions = 10 + self.rng.below(120);
        let trouble = match self.mood {
            Mood::Calm | Mood::Slow => 0,
            Mood::Bad => [10, 100][self.rng.below(2) as usize],
        };
        self.pump();
        for _ in 0..actions {
            let pause = match self.rng.below(100) {
                0..3 => 3_000,
                3..20 => 300,
                _ => 20,
            };
            let pause = MILLI * (1 + self.rng.below(pause)) as u32;
            self.run_until(self.now + pause);
            if self.rng.chance(trouble) {
                self.cut_something();
            } else {
                self.act();
            }
            self.pump();
        }
        while self.server.pauses > 0 {
            self.resume();
        }
        self.settle();
        self.check_equal_if_both_live();
        self.check_calm();
        self.end();
        self.seen
    }

    fn cut_something(&mut self) {
        let client = &self.client;
        let mut ids: Vec<Id> = [client.get, client.post, client.socket]
            .into_iter()
            .flatten()
            .collect();
        ids.extend(self.server.sockets.iter().map(|socket| socket.id));
        if !ids.is_empty() {
            let id = ids[self.rng.below(ids.len() as u64) as usize];
            if self.rng.chance(200) {
                self.silent.insert(id);
            } else {
                self.cut(id);
            }
        }
    }

    /// The connection is gone; each side hears of it at some time.
    fn cut(&mut self, id: Id) {
        self.tell_with(|| format!("cut {id}"));
        if !self.cut.insert(id) {
            return;
        }
        let is_socket = Some(id) == self.client.socket
            || self.server.sockets.iter().any(|socket| socket.id == id);
        let news = if is_socket {
            [Arrival::EndAtServer, Arrival::EndAtClient]
        } else {
            [Arrival::RequestLostAtServer, Arrival::RequestLostAtClient]
        };
        for one in news {
            let delay = self.delay();
            self.deliver(id, delay, one);
        }
    }

    /// Most are fast, few are slow.
    fn delay(&mut self) -> Duration {
        let is_slow = self.mood != Mood::Calm && self.rng.chance(30);
        let bound = if is_slow { 1_500 } else { 25 };
        MILLI * (1 + self.rng.below(bound)) as u32
    }

    fn deliver(&mut self, id: Id, delay: Duration, arrival: Arrival) {
        self.deliver_at(id, self.now + delay, arrival);
    }

    fn deliver_at(&mut self, id: Id, at: Instant, arrival: Arrival) {
        self.sequence += 1;
        self.wire.insert((at, self.sequence), (id, arrival));
    }

    fn new_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            let arrival = self.wire.first_key_value().map(|((at, _), _)| *at);
            let server = self.server.session.as_ref();
            let timers = [
                server.and_then(Session::poll_timeout),
                self.client.session.poll_timeout(),
            ];
            let next = timers.into_iter().flatten().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                if let Some((_, (id, arrival))) = self.wire.pop_first() {
                    self.arrive(id, arrival);
                }
            } else {
                self.handle_timeouts();
            }
            self.pump();
        }
    }

    fn handle_timeouts(&mut self) {
        let now = self.now;
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if let Some(session) = &mut self.server.session {
            session.handle_timeout(now);
            assert!(!is_over(session.poll_timeout()), "a deadline was left");
        }
        self.client.session.handle_timeout(now);
        assert!(
            !is_over(self.client.session.poll_timeout()),
            "a deadline was left"
        );
    }

    fn arrive(&mut self, id: Id, arrival: Arrival) {
        let is_news = matches!(
            arrival,
            Arrival::EndAtServer
                | Arrival::EndAtClient
                | Arrival::RequestLostAtServer
                | Arrival::RequestLostAtClient
        );
        if self.silent.contains(&id) || (self.cut.contains(&id) && !is_news) {
            return;
        }
        self.tell_with(|| format!("{id} {arrival:?}"));
        match arrival {
            Arrival::GetAtServer { is_handshake } => self.get_at_server(id, is_handshake),
            Arrival::PostAtServer { body, is_whole } => self.post_at_server(id, body, is_whole),
            Arrival::SocketAtServer { is_handshake } => self.socket_at_server(id, is_handshake),
            Arrival::FrameAtServer(frame) => self.put_into_inbox(id, Incoming::Frame(frame)),
            Arrival::EndAtServer => self.put_into_inbox(id, Incoming::End),
            Arrival::RequestLostAtServer => self.request_lost_at_server(id),
            Arrival::ServerUnblocked => self.server_unblocked(id),
            Arrival::GetAnswer(body) if self.client.get == Some(id) => {
                self.client.get = None;
                self.get_answered(body);
            }
            Arrival::PostAnswer { is_ok } if self.client.post == Some(id) => {
                self.client.post = None;
                if is_ok {
                    self.client.session.handle_post_answered();
                } else {
                    self.client_lost_request();
                }
            }
            Arrival::RequestLostAtClient
                if self.client.get == Some(id) || self.client.post == Some(id) =>
            {
                if self.client.get == Some(id) {
                    self.client.get = None;
                } else {
                    self.client.post = None;
                }
                self.client_lost_request();
            }
            Arrival::SocketAnswer { is_ok: true } if self.client.socket == Some(id) => {
                self.client.session.handle_websocket_open();
            }
            Arrival::SocketAnswer { is_ok: false } if self.client.socket == Some(id) => {
                self.client_lost_socket(CloseReason::TransportError);
            }
            Arrival::EndAtClient if self.client.socket == Some(id) => {
                self.client_lost_socket(CloseReason::TransportClose);
            }
            Arrival::FrameAtClient(frame) if self.client.socket == Some(id) => {
                self.client_receives(Transport::WebSocket, packet_of(frame));
            }
            Arrival::ClientUnblocked => self.client.session.set_websocket_blocked(false),
            _nobody_waits_for_it => {}
        }
    }

    fn client_lost_request(&mut self) {
        let reason = CloseReason::TransportError;
        self.client
            .session
            .transport_closed(Transport::Polling, reason);
    }

    fn saw(&mut self, who: &'static str, what: &'static str) {
        self.seen.insert((who, what));
    }

    fn tell(&self, what: &str) {
        self.tell_with(|| what.to_owned());
    }

    fn tell_with(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>6} ms  {}", (self.now - self.start).as_millis(), what());
        }
    }
}

fn packet_of(frame: Frame) -> Packet {
    match frame {
        Frame::Text(text) => Packet::decode_text(text).expect("a valid packet"),
        Frame::Binary(data) => Packet::Message(Message::Binary(data)),
    }
}
