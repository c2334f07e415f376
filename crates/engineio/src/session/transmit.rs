//! What a session has to write, and to which of its wires.

use super::{BATCH_BYTES, Probe, Role, Session, Slot, State, Transmit, Wire};
use crate::{
    error::CloseReason,
    handshake::Transport,
    packet::{self, Frame},
};

impl Session {
    /// Moves what this wire must write now to `batch`.
    pub fn poll_transmit(&mut self, to: Wire, batch: &mut Vec<Frame>) -> Transmit {
        let before = batch.len();
        match to {
            Wire::Polling if self.get == Slot::Idle => Transmit::Idle,
            Wire::Polling => {
                let transmit = self.poll_transmit_polling(batch);
                self.note_flush(&batch[before..]);
                if transmit != Transmit::Idle {
                    self.get = Slot::Idle;
                }
                transmit
            }
            Wire::WebSocket(_) => match self.role_of(to) {
                Role::Carrier => {
                    let transmit = self.poll_transmit_websocket(batch);
                    self.note_flush(&batch[before..]);
                    transmit
                }
                Role::Prober if self.is_closed() => Transmit::Close,
                Role::Prober if self.probe == Probe::Answering => {
                    self.probe = Probe::Confirmed;
                    batch.push(packet::PONG_PROBE);
                    Transmit::Frames
                }
                Role::Prober => Transmit::Idle,
                Role::Stale => Transmit::Close,
            },
        }
    }

    /// Whether one of the packets that [`poll_transmit`](Self::poll_transmit) gave last for a long poll is to be
    /// compressed.
    pub fn is_batch_compressed(&self) -> bool {
        self.is_batch_compressed
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) for the present wire of this transport would not be idle.
    pub fn wants_transmit(&self, transport: Transport) -> bool {
        match (transport, self.transport) {
            (Transport::Polling, _) if self.get == Slot::Idle => false,
            (Transport::Polling, Transport::WebSocket) => true,
            (Transport::WebSocket, Transport::Polling) => match self.probe {
                Probe::None | Probe::Answering => true,
                Probe::Waiting | Probe::Confirmed => self.is_closed(),
            },
            // Whoever cannot write is only told of the end.
            (Transport::WebSocket, Transport::WebSocket) if self.websocket_blocked => {
                self.is_closed()
            }
            _ => !self.outbox.is_empty() || self.state != State::Open || self.releases_polls(),
        }
    }

    fn poll_transmit_polling(&mut self, batch: &mut Vec<Frame>) -> Transmit {
        if self.transport == Transport::WebSocket {
            batch.push(packet::NOOP);
            return Transmit::Frames;
        }
        let max_bytes = BATCH_BYTES.min(self.config.max_payload);
        self.is_batch_compressed =
            self.outbox
                .take_payload(self.dialect, max_bytes, usize::MAX, batch);
        match self.state {
            State::Closed(CloseReason::TransportClose) => {
                batch.push(packet::NOOP);
                Transmit::Close
            }
            State::Closed(_) => {
                batch.push(packet::CLOSE);
                Transmit::Close
            }
            // Never behind messages: a client acts on a close packet before it has read what came with it.
            State::Closing(_) if batch.is_empty() => {
                batch.push(packet::CLOSE);
                self.end_closing();
                Transmit::Close
            }
            State::Open if batch.is_empty() && self.releases_polls() => {
                batch.push(packet::NOOP);
                Transmit::Frames
            }
            State::Open | State::Closing(_) if batch.is_empty() => Transmit::Idle,
            State::Open | State::Closing(_) => Transmit::Frames,
        }
    }

    fn poll_transmit_websocket(&mut self, batch: &mut Vec<Frame>) -> Transmit {
        self.outbox.take(BATCH_BYTES, batch);
        match self.state {
            State::Closed(_) => Transmit::Close,
            State::Closing(_) if self.outbox.is_empty() => {
                self.end_closing();
                Transmit::Close
            }
            State::Open | State::Closing(_) if batch.is_empty() => Transmit::Idle,
            State::Open | State::Closing(_) => Transmit::Frames,
        }
    }

    /// While an upgrade is under way the client waits for its poll to return before it goes on.
    fn releases_polls(&self) -> bool {
        matches!(self.probe, Probe::Answering | Probe::Confirmed)
    }
}
