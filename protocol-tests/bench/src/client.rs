//! A client: from the first request until it is in the main namespace, and what passes from there on.
//!
//! ```text
//! websocket  Opening ── 0{sid} ──▶ Joining ── 40{sid} ──▶ Ready
//! polling    the same, with a GET always waiting and packets brought by POST
//! upgrade    the same by polling, then Probing ── 3probe, and the GET that waits is answered ──▶ Confirming ── 430 ──▶ Ready
//! ```

use std::io;
use std::net::SocketAddr;

use clap::ValueEnum;
use mio::{Registry, Token};

use crate::conn::{Conn, Speech};
use crate::player::{Message, Out, Player};
use crate::wire::{http, payload, websocket};

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    WebSocket,
    Polling,
    /// By polling, and on to WebSocket.
    Upgrade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Joining,
    Probing,
    Confirming,
    Ready,
}

/// What a client needs of the fleet to open connections.
pub struct Dock<'a> {
    pub address: SocketAddr,
    pub registry: &'a Registry,
}

pub struct Client {
    index: usize,
    transport: Transport,
    phase: Phase,
    sid: String,
    conns: [Option<Conn>; SLOTS],
    /// Packets for the next POST.
    payload: Vec<u8>,
    is_posting: bool,
    is_polling: bool,
    is_probed: bool,
}

impl Client {
    /// Begins to connect.
    pub fn open(index: usize, transport: Transport, dock: &Dock<'_>) -> io::Result<Self> {
        let mut client = Self {
            index,
            transport,
            phase: Phase::Opening,
            sid: String::new(),
            conns: [const { None }; SLOTS],
            payload: Vec::new(),
            is_posting: false,
            is_polling: false,
            is_probed: false,
        };
        if transport == Transport::WebSocket {
            client.connect(SOCKET, dock)?;
        } else {
            client.connect(POLL, dock)?;
            client.poll();
        }
        Ok(client)
    }

    /// Whether the client is in the main namespace, by the transport that was asked for.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Something may be read from or written to a connection.
    pub fn on_event(
        &mut self,
        slot: usize,
        is_readable: bool,
        dock: &Dock<'_>,
        scratch: &mut [u8],
        player: &mut dyn Player,
    ) -> io::Result<()> {
        if is_readable && let Some(conn) = &mut self.conns[slot] {
            if let Err(error) = conn.fill(scratch) {
                // After an upgrade nothing is asked for by polling any more.
                let is_upgraded = matches!(self.phase, Phase::Confirming | Phase::Ready)
                    && self.transport == Transport::Upgrade;
                if slot == SOCKET || !is_upgraded {
                    let (what, phase) = (SLOT_NAMES[slot], self.phase);
                    let text = format!("the connection for {what} while {phase:?}: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
                self.conns[slot] = None;
                return self.flush();
            }
            let mut input = std::mem::take(&mut conn.input);
            let used = self.understand(slot, &input, dock, player)?;
            input.drain(..used);
            if let Some(conn) = &mut self.conns[slot] {
                conn.input = input;
            }
        }
        self.flush()
    }

    /// Queues what the application wants to send, and writes it.
    pub fn send(&mut self, fill: impl FnOnce(&mut Out<'_>)) -> io::Result<()> {
        if let Some(mut out) = self.out() {
            fill(&mut out);
        }
        self.flush()
    }

    fn out(&mut self) -> Option<Out<'_>> {
        if self.transport == Transport::Polling {
            return Some(Out::Payload(&mut self.payload));
        }
        let conn = self.conns[SOCKET].as_mut()?;
        Some(Out::Frames(&mut conn.output))
    }

    /// Handles all that is whole, and says how many bytes that was.
    fn understand(
        &mut self,
        slot: usize,
        input: &[u8],
        dock: &Dock<'_>,
        player: &mut dyn Player,
    ) -> io::Result<usize> {
        let mut at = 0;
        while let Some(conn) = &self.conns[slot] {
            let rest = &input[at..];
            let used = match conn.speech {
                Speech::Http => match http::read(rest).map_err(io::Error::other)? {
                    Some((response, used)) => {
                        self.response(slot, &response, dock, player)?;
                        used
                    }
                    None => break,
                },
                Speech::WebSocket => match websocket::read(rest).map_err(io::Error::other)? {
                    Some((frame, used)) => {
                        self.frame(&frame, dock, player)?;
                        used
                    }
                    None => break,
                },
            };
            at += used;
        }
        Ok(at)
    }

    fn response(
        &mut self,
        slot: usize,
        response: &http::Response<'_>,
        dock: &Dock<'_>,
        player: &mut dyn Player,
    ) -> io::Result<()> {
        let expected = if slot == SOCKET { 101 } else { 200 };
        if response.status != expected {
            let head = String::from_utf8_lossy(response.head);
            let body = String::from_utf8_lossy(response.body);
            return Err(io::Error::other(format!("answered with {head}: {body}")));
        }
        match slot {
            SOCKET => {
                if http::header(response.head, "sec-websocket-accept") != Some(websocket::ACCEPT) {
                    return Err(io::Error::other(
                        "the key of the WebSocket was not answered",
                    ));
                }
                if let Some(conn) = &mut self.conns[SOCKET] {
                    conn.speech = Speech::WebSocket;
                    if self.phase == Phase::Probing {
                        websocket::write(&mut conn.output, websocket::TEXT, &[b"2probe"]);
                    }
                }
            }
            POST => {
                self.is_posting = false;
                self.upgrade_if_possible();
            }
            _ => {
                self.is_polling = false;
                for packet in payload::packets(response.body) {
                    self.packet(packet, dock, player)?;
                }
                if self.phase == Phase::Probing {
                    self.upgrade_if_possible();
                } else {
                    self.poll();
                }
            }
        }
        Ok(())
    }

    fn frame(
        &mut self,
        frame: &websocket::Frame<'_>,
        dock: &Dock<'_>,
        player: &mut dyn Player,
    ) -> io::Result<()> {
        match frame.opcode {
            websocket::TEXT => self.packet(frame.payload, dock, player),
            websocket::BINARY => {
                let index = self.index;
                if let Some(mut out) = self.out() {
                    player.receive(index, Message::Binary(frame.payload), &mut out);
                }
                Ok(())
            }
            websocket::PING => {
                if let Some(conn) = &mut self.conns[SOCKET] {
                    websocket::write(&mut conn.output, websocket::PONG, &[frame.payload]);
                }
                Ok(())
            }
            websocket::CLOSE => Err(io::Error::other("the server closed the connection")),
            _ => Ok(()),
        }
    }

    /// Handles a packet of Engine.IO.
    fn packet(
        &mut self,
        packet: &[u8],
        dock: &Dock<'_>,
        player: &mut dyn Player,
    ) -> io::Result<()> {
        match (packet, self.phase) {
            ([b'4', b'0', ..], Phase::Joining) => {
                if self.transport == Transport::Upgrade {
                    self.phase = Phase::Probing;
                    self.poll();
                    self.connect(SOCKET, dock)?;
                } else {
                    self.phase = Phase::Ready;
                }
            }
            (b"430[\"x\"]", Phase::Confirming) => self.phase = Phase::Ready,
            ([b'4', message @ ..], Phase::Ready) => {
                let index = self.index;
                if let Some(mut out) = self.out() {
                    player.receive(index, Message::Text(message), &mut out);
                }
            }
            ([b'0', open @ ..], Phase::Opening) => {
                self.sid = sid(open)?;
                self.phase = Phase::Joining;
                if self.transport != Transport::WebSocket {
                    self.connect(POST, dock)?;
                }
                self.engine_packet(b"40");
            }
            (b"2", _) => self.engine_packet(b"3"),
            (b"3probe", Phase::Probing) => {
                self.is_probed = true;
                self.upgrade_if_possible();
            }
            (b"6", _) => {}
            (other, phase) => {
                let other = String::from_utf8_lossy(other);
                return Err(io::Error::other(format!("{other} while {phase:?}")));
            }
        }
        Ok(())
    }

    /// The last step to WebSocket, once the probe and all requests are answered. An echo proves it.
    fn upgrade_if_possible(&mut self) {
        let is_pausing = self.phase == Phase::Probing && self.is_probed;
        if !is_pausing || self.is_polling || self.is_posting || !self.payload.is_empty() {
            return;
        }
        self.phase = Phase::Confirming;
        if let Some(conn) = &mut self.conns[SOCKET] {
            websocket::write(&mut conn.output, websocket::TEXT, &[b"5"]);
            let echo = br#"420["echo","x"]"#;
            websocket::write(&mut conn.output, websocket::TEXT, &[echo]);
        }
    }

    /// Queues a packet of Engine.IO itself. Until an upgrade is done it goes by polling.
    fn engine_packet(&mut self, packet: &[u8]) {
        let by_socket = match self.transport {
            Transport::WebSocket => true,
            Transport::Polling => false,
            Transport::Upgrade => matches!(self.phase, Phase::Confirming | Phase::Ready),
        };
        match &mut self.conns[SOCKET] {
            Some(conn) if by_socket => {
                websocket::write(&mut conn.output, websocket::TEXT, &[packet]);
            }
            _ => payload::append(&mut self.payload, &[packet]),
        }
    }

    fn connect(&mut self, slot: usize, dock: &Dock<'_>) -> io::Result<()> {
        let token = Token(self.index * SLOTS + slot);
        let mut conn = Conn::open(dock.address, dock.registry, token)?;
        conn.send_at_once()?;
        if slot == SOCKET {
            http::switch(&mut conn.output, &self.sid);
        }
        self.conns[slot] = Some(conn);
        Ok(())
    }

    fn poll(&mut self) {
        if let Some(conn) = &mut self.conns[POLL]
            && !self.is_polling
        {
            http::get(&mut conn.output, &self.sid);
            self.is_polling = true;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_posting
            && !self.payload.is_empty()
            && let Some(conn) = &mut self.conns[POST]
        {
            http::post(&mut conn.output, &self.sid, &self.payload);
            self.payload.clear();
            self.is_posting = true;
        }
        self.conns.iter_mut().flatten().try_for_each(Conn::flush)
    }
}

/// The session's id in an open packet.
fn sid(open: &[u8]) -> io::Result<String> {
    let fields: serde_json::Value = serde_json::from_slice(open)?;
    let sid = fields["sid"].as_str().map(str::to_owned);
    sid.ok_or_else(|| io::Error::other("an open packet without a sid"))
}

/// How many connections a client has at most, and what each is for.
pub const SLOTS: usize = 3;
const POLL: usize = 0;
const POST: usize = 1;
const SOCKET: usize = 2;
const SLOT_NAMES: [&str; SLOTS] = ["GET", "POST", "WebSocket"];

#[cfg(test)]
mod tests;
