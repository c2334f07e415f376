//! What clients receive and send: the application's side of a client.

use crate::wire::{payload, websocket};

/// A Socket.IO packet, without what Engine.IO puts before it, or an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

/// Who gets what clients receive.
pub trait Player {
    /// A message has come for a client, which may answer.
    fn receive(&mut self, client: usize, message: Message<'_>, out: &mut Out<'_>);
}

/// A player for clients that have nothing to receive.
pub struct Nobody;

impl Player for Nobody {
    fn receive(&mut self, _client: usize, _message: Message<'_>, _out: &mut Out<'_>) {}
}

/// Where a client's packets go.
pub enum Out<'a> {
    Frames(&'a mut Vec<u8>),
    Payload(&'a mut Vec<u8>),
}

impl Out<'_> {
    /// Queues a Socket.IO packet.
    pub fn text(&mut self, packet: &[u8]) {
        match self {
            Self::Frames(out) => websocket::write(out, websocket::TEXT, &[b"4", packet]),
            Self::Payload(out) => payload::append(out, &[b"4", packet]),
        }
    }

    /// Queues an attachment; the scenarios have them with WebSocket alone.
    pub fn binary(&mut self, data: &[u8]) {
        if let Self::Frames(out) = self {
            websocket::write(out, websocket::BINARY, &[data]);
        }
    }
}
