//! What a client has to send, and by which request or frames.

use super::{ClientSession, Slot, State, Transmit, WebSocket};
use crate::{
    dialect::Dialect,
    error::CloseReason,
    handshake::Transport,
    packet::{self, Frame},
    session::BATCH_BYTES,
};

/// The most packets one POST takes from the queue, well below what a server may refuse.
const MAX_POST_PACKETS: usize = 4_096;

impl ClientSession {
    /// Says what to do next, and moves the frames for it to `batch`. Ask until there is nothing.
    pub fn poll_transmit(&mut self, batch: &mut Vec<Frame>) -> Option<Transmit> {
        match self.websocket {
            WebSocket::Leaving => {
                self.websocket = WebSocket::None;
                return Some(Transmit::CloseWebSocket);
            }
            WebSocket::Wanted if self.state != State::Closing => {
                self.websocket = WebSocket::Connecting;
                return Some(Transmit::OpenWebSocket);
            }
            WebSocket::ProbeDue => {
                self.websocket = WebSocket::Probed;
                batch.push(packet::PING_PROBE);
                return Some(Transmit::WriteWebSocket);
            }
            _ => {}
        }
        match (self.transport, self.state) {
            (_, State::Closed) => self.poll_farewell(batch),
            (Transport::Polling, _) => self.poll_transmit_polling(batch),
            (Transport::WebSocket, _) => self.poll_transmit_websocket(batch),
        }
    }

    fn poll_transmit_polling(&mut self, batch: &mut Vec<Frame>) -> Option<Transmit> {
        if self.websocket == WebSocket::Pausing {
            return None;
        }
        if self.get == Slot::Idle {
            self.get = Slot::InFlight;
            return Some(Transmit::Get);
        }
        if self.state == State::Opening || !self.can_write() {
            return None;
        }
        self.take_pong(batch);
        self.outbox
            .take_payload(Dialect::V4, self.max_payload(), MAX_POST_PACKETS, batch);
        if batch.is_empty() {
            if self.state == State::Open {
                return None;
            }
            self.end(CloseReason::ForcedClose);
            batch.push(packet::CLOSE);
        }
        self.post = Slot::InFlight;
        Some(Transmit::Post)
    }

    fn poll_transmit_websocket(&mut self, batch: &mut Vec<Frame>) -> Option<Transmit> {
        if self.state == State::Opening || !self.can_write() {
            return None;
        }
        if self.websocket == WebSocket::UpgradeDue {
            self.websocket = WebSocket::Carrier;
            batch.push(packet::UPGRADE);
        }
        self.take_pong(batch);
        self.outbox.take(BATCH_BYTES, batch);
        if !batch.is_empty() {
            return Some(Transmit::WriteWebSocket);
        }
        if self.state == State::Open {
            return None;
        }
        self.end(CloseReason::ForcedClose);
        self.websocket = WebSocket::None;
        Some(Transmit::CloseWebSocket)
    }

    /// A server that is not heard any more may still hear us.
    fn poll_farewell(&mut self, batch: &mut Vec<Frame>) -> Option<Transmit> {
        if !self.is_farewell_due {
            return None;
        }
        self.is_farewell_due = false;
        self.post = Slot::InFlight;
        batch.push(packet::CLOSE);
        Some(Transmit::Post)
    }

    fn take_pong(&mut self, batch: &mut Vec<Frame>) {
        if self.is_pong_due {
            self.is_pong_due = false;
            batch.push(packet::PONG);
        }
    }

    /// As the official client reads it, nothing and zero are no limit.
    fn max_payload(&self) -> usize {
        match &self.handshake {
            Some(handshake) if handshake.max_payload > 0 => handshake.max_payload,
            _ => usize::MAX,
        }
    }
}
