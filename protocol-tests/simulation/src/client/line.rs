//! A client's Engine.IO session over the simulated network: its requests and its WebSocket, moved by the state machine
//! of `engineio::client_session`.

use bytes::Bytes;
use chaos::rng::Rng;
use engineio::client_session::{ClientConfig, ClientSession, Event, Transmit};
use engineio::{CloseReason, DecodeError, Frame, Message, Packet, Transport, payload};

use super::{http, websocket};
use crate::network::{ConnId, Delivered, End};
use crate::stage::Stage;

/// The most packets an answer may have.
const MAX_PACKETS: usize = 100_000;

/// A session and its connections.
pub struct Line {
    client: usize,
    session: ClientSession,
    rng: Rng,
    get: Option<Exchange>,
    post: Option<Exchange>,
    websocket: Option<Socket>,
    /// A connection that takes another request.
    spare: Option<ConnId>,
}

struct Exchange {
    id: ConnId,
    answer: http::Answer,
}

struct Socket {
    id: ConnId,
    /// The answer to its handshake, until that is whole.
    answer: Option<http::Answer>,
    decoder: websocket::Decoder,
}

/// How a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Polling,
    WebSocket,
    Upgrade,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::Upgrade];
}

impl Line {
    pub fn open(client: usize, way: Way, rng: Rng, stage: &mut Stage) -> Self {
        let config = ClientConfig {
            transport: match way {
                Way::Polling | Way::Upgrade => Transport::Polling,
                Way::WebSocket => Transport::WebSocket,
            },
            upgrade: way == Way::Upgrade,
            open_timeout: std::time::Duration::from_secs(2),
            ..ClientConfig::default()
        };
        let mut line = Self {
            client,
            session: ClientSession::new(stage.instant(), config),
            rng,
            get: None,
            post: None,
            websocket: None,
            spare: None,
        };
        line.pump(stage);
        line
    }

    /// Sends a text, if the session still takes it.
    pub fn send(&mut self, text: &str, stage: &mut Stage) {
        let _closed = self.session.send(&[Frame::message(text)]);
        self.pump(stage);
    }

    /// Ends the session as a client does who says so.
    pub fn close(&mut self, stage: &mut Stage) {
        self.session.close();
        self.pump(stage);
    }

    /// The client is gone; its system closes what it had open.
    pub fn abandon(self, stage: &mut Stage) {
        for id in self.connections() {
            stage.network.leave(id, End::Fin, &mut stage.agenda);
        }
    }

    pub fn next_event(&mut self) -> Option<Event> {
        self.session.poll_event()
    }

    /// When it wants to be called.
    pub fn timeout(&self) -> Option<std::time::Instant> {
        self.session.poll_timeout()
    }

    pub fn handle_timeout(&mut self, stage: &mut Stage) {
        self.session.handle_timeout(stage.instant());
        self.pump(stage);
    }

    /// Whether what it waits for was cut, and it has not found out.
    pub fn is_hurt(&self, stage: &Stage) -> bool {
        let is_dead = |id: ConnId| stage.network.is_dead(id);
        let carries = self.session.transport() == Transport::WebSocket;
        self.get.as_ref().is_some_and(|get| is_dead(get.id))
            || self.post.as_ref().is_some_and(|post| is_dead(post.id))
            || self
                .websocket
                .as_ref()
                .is_some_and(|socket| carries && is_dead(socket.id))
    }

    /// Takes what has arrived on one of its connections.
    pub fn receive(&mut self, id: ConnId, delivered: Delivered, stage: &mut Stage) {
        let is = |exchange: &Option<Exchange>| exchange.as_ref().is_some_and(|it| it.id == id);
        if is(&self.get) {
            self.receive_answer(Request::Get, delivered, stage);
        } else if is(&self.post) {
            self.receive_answer(Request::Post, delivered, stage);
        } else if self.websocket.as_ref().is_some_and(|it| it.id == id) {
            self.receive_websocket(delivered, stage);
        } else if self.spare == Some(id) {
            self.spare = None;
            stage.network.leave(id, End::Fin, &mut stage.agenda);
        }
        self.pump(stage);
    }

    fn receive_answer(&mut self, request: Request, delivered: Delivered, stage: &mut Stage) {
        let slot = match request {
            Request::Get => &mut self.get,
            Request::Post => &mut self.post,
        };
        let Some(exchange) = slot else { return };
        let id = exchange.id;
        let whole = match delivered {
            Delivered::Bytes(bytes) => exchange.answer.push(&bytes),
            Delivered::End => Err(http::Broken),
        };
        let whole = match whole {
            Ok(None) => return,
            Ok(Some(whole)) => Some(whole).filter(|whole| whole.status == 200),
            Err(http::Broken) => None,
        };
        *slot = None;
        let stays = whole.as_ref().is_some_and(|whole| whole.stays);
        if stays && self.spare.is_none() && self.rng.chance(500) {
            self.spare = Some(id);
        } else {
            stage.network.leave(id, End::Fin, &mut stage.agenda);
        }
        let Some(whole) = whole else {
            return self
                .session
                .transport_closed(Transport::Polling, CloseReason::TransportError);
        };
        match request {
            Request::Get => {
                for packet in payload::decode(whole.body.into(), MAX_PACKETS) {
                    self.take(Transport::Polling, packet, stage);
                }
                self.session.handle_get_answered();
            }
            Request::Post => self.session.handle_post_answered(),
        }
    }

    fn receive_websocket(&mut self, delivered: Delivered, stage: &mut Stage) {
        let Some(socket) = &mut self.websocket else {
            return;
        };
        let Delivered::Bytes(mut bytes) = delivered else {
            return self.lose_websocket(stage);
        };
        if let Some(answer) = &mut socket.answer {
            match answer.push(&bytes) {
                Ok(None) => return,
                Ok(Some(whole)) if whole.status == 101 => {
                    socket.answer = None;
                    bytes = whole.rest;
                    self.session.handle_websocket_open();
                    // What it wants to say comes before what was said to it.
                    self.pump(stage);
                }
                Ok(Some(_)) | Err(http::Broken) => return self.lose_websocket(stage),
            }
        }
        if let Some(socket) = &mut self.websocket {
            socket.decoder.push(&bytes);
        }
        while let Some(socket) = &mut self.websocket {
            match socket.decoder.next_message() {
                Ok(None) => return,
                Ok(Some(websocket::Received::Text(text))) => {
                    let packet = match std::str::from_utf8(&text) {
                        Ok(_) => Packet::decode_text(text),
                        Err(_) => Err(DecodeError::InvalidUtf8),
                    };
                    self.take(Transport::WebSocket, packet, stage);
                }
                Ok(Some(websocket::Received::Binary(data))) => {
                    let packet = Packet::Message(Message::Binary(data));
                    self.take(Transport::WebSocket, Ok(packet), stage);
                }
                Ok(Some(websocket::Received::Ping(data))) => {
                    let bytes = websocket::encode(websocket::PONG, &data, &mut self.rng);
                    stage.send(socket.id, bytes);
                }
                Ok(Some(websocket::Received::Close)) | Err(websocket::Broken) => {
                    return self.lose_websocket(stage);
                }
            }
        }
    }

    fn take(&mut self, from: Transport, packet: Result<Packet, DecodeError>, stage: &mut Stage) {
        match packet {
            Ok(packet) => self.session.receive(stage.instant(), from, packet),
            Err(error) => {
                stage
                    .record
                    .wrong
                    .push(format!("the server sent what is no packet: {error}"));
                self.session.receive_error(from, error);
            }
        }
    }

    fn lose_websocket(&mut self, stage: &mut Stage) {
        if let Some(socket) = self.websocket.take() {
            stage.network.leave(socket.id, End::Fin, &mut stage.agenda);
            self.session
                .transport_closed(Transport::WebSocket, CloseReason::TransportClose);
        }
    }

    /// Does what the session wants done.
    fn pump(&mut self, stage: &mut Stage) {
        let mut batch = Vec::new();
        while let Some(transmit) = self.session.poll_transmit(&mut batch) {
            match transmit {
                Transmit::Get => {
                    let bytes = http::request(self.session.sid(), "polling", "", None);
                    self.get = Some(self.exchange(bytes, stage));
                }
                Transmit::Post => {
                    let body = payload::encode(&batch);
                    let bytes = http::request(self.session.sid(), "polling", "", Some(&body));
                    self.post = Some(self.exchange(bytes, stage));
                }
                Transmit::OpenWebSocket => {
                    let id = stage.connect(self.client);
                    stage.send(id, websocket::request(self.session.sid(), &mut self.rng));
                    self.websocket = Some(Socket {
                        id,
                        answer: Some(http::Answer::default()),
                        decoder: websocket::Decoder::default(),
                    });
                }
                Transmit::WriteWebSocket => {
                    if let Some(socket) = &self.websocket {
                        for frame in &batch {
                            let kind = match frame {
                                Frame::Text(_) => websocket::TEXT,
                                Frame::Binary(_) => websocket::BINARY,
                            };
                            let bytes = websocket::encode(kind, frame.bytes(), &mut self.rng);
                            stage.send(socket.id, bytes);
                        }
                    }
                }
                Transmit::CloseWebSocket => {
                    if let Some(socket) = self.websocket.take() {
                        if socket.answer.is_none() {
                            let bytes =
                                websocket::encode(websocket::CLOSE, &[0x03, 0xe8], &mut self.rng);
                            stage.send(socket.id, bytes);
                        }
                        stage.network.leave(socket.id, End::Fin, &mut stage.agenda);
                    }
                }
            }
            batch.clear();
        }
        if self.session.is_closed() && self.post.is_none() {
            for id in self.connections() {
                stage.network.leave(id, End::Fin, &mut stage.agenda);
            }
            (self.get, self.websocket, self.spare) = (None, None, None);
        }
    }

    fn exchange(&mut self, bytes: Vec<u8>, stage: &mut Stage) -> Exchange {
        let id = self.spare.take();
        let id = id.unwrap_or_else(|| stage.connect(self.client));
        stage.send(id, bytes);
        Exchange {
            id,
            answer: http::Answer::default(),
        }
    }

    fn connections(&self) -> Vec<ConnId> {
        let requests = self.get.iter().chain(&self.post).map(|it| it.id);
        let sockets = self.websocket.iter().map(|it| it.id);
        requests.chain(sockets).chain(self.spare).collect()
    }
}

#[derive(Clone, Copy)]
enum Request {
    Get,
    Post,
}

/// A text message as it came.
pub fn text_of(message: Message) -> Option<Bytes> {
    match message {
        Message::Text(text) => Some(text),
        Message::Binary(_) => None,
    }
}
