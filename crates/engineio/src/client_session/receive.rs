//! What becomes of a packet that has arrived at a client.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{ClientSession, Event, Handshake, Role, State, WebSocket};
use crate::{
    error::{CloseReason, DecodeError},
    handshake::Transport,
    packet::Packet,
};

/// The open packet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenPacket {
    sid: Box<str>,
    upgrades: Vec<Box<str>>,
    ping_interval: u64,
    ping_timeout: u64,
    /// Absent from servers that are older than it.
    #[serde(default)]
    max_payload: usize,
}

impl ClientSession {
    /// A packet has arrived. Packets of a WebSocket that was given up are ignored.
    pub fn receive(&mut self, now: Instant, from: Transport, packet: Packet) {
        match self.role_of(from) {
            Role::Carrier if self.state == State::Opening => self.receive_open(now, packet),
            Role::Carrier => self.receive_on_carrier(now, packet),
            Role::Prober => self.receive_on_prober(packet),
            Role::Stale => {}
        }
    }

    /// Something has arrived that is not a packet.
    pub fn receive_error(&mut self, from: Transport, _error: DecodeError) {
        match self.role_of(from) {
            // The official client has no reason of its own for this.
            Role::Carrier => self.end(CloseReason::TransportError),
            Role::Prober => self.drop_probe(),
            Role::Stale => {}
        }
    }

    fn receive_open(&mut self, now: Instant, packet: Packet) {
        let Packet::Open(data) = packet else {
            return self.end(CloseReason::TransportError);
        };
        let Ok(open) = serde_json::from_slice::<OpenPacket>(&data) else {
            return self.end(CloseReason::TransportError);
        };
        let offers_websocket = open.upgrades.iter().any(|name| **name == *"websocket");
        if self.transport == Transport::Polling && self.config.upgrade && offers_websocket {
            self.websocket = WebSocket::Wanted;
        }
        self.state = State::Open;
        self.handshake = Some(Handshake {
            sid: open.sid,
            patience: Duration::from_millis(open.ping_interval.saturating_add(open.ping_timeout)),
            max_payload: open.max_payload,
        });
        self.expect_ping(now);
        self.events.push_back(Event::Opened);
    }

    fn receive_on_carrier(&mut self, now: Instant, packet: Packet) {
        match packet {
            Packet::Message(message) => self.events.push_back(Event::Message(message)),
            // Without an answer the server ends a session that does not get to its close.
            Packet::Ping(_) if self.state == State::Open => {
                self.is_pong_due = true;
                self.expect_ping(now);
            }
            Packet::Close => self.end(CloseReason::TransportClose),
            Packet::Open(_)
            | Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Upgrade
            | Packet::Noop => {}
        }
    }

    fn receive_on_prober(&mut self, packet: Packet) {
        match packet {
            Packet::Pong(data) if data == "probe" && self.websocket == WebSocket::Probed => {
                self.websocket = WebSocket::Pausing;
                self.finish_pausing();
            }
            _ => self.drop_probe(),
        }
    }
}
