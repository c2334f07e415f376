//! Parsers: what a packet says becomes what is on the wire, and back.
//!
//! What packets say is the same for all of them: a type, a namespace, an ack id, JSON in which placeholders stand for the
//! binary values, and those. Without a parser of its own (`Config::parser`) a server writes and
//! reads the format of [`packet`](crate::packet) without this detour. The client must have the same parser: with
//! [`Msgpack`] that of npm `socket.io-msgpack-parser`.
//!
//! A parser of one's own is the two halves of this module's traits. This one writes each packet as a JSON array, and knows
//! no binary data:
//!
//! ```
//! use std::{sync::Arc, time::Instant};
//!
//! use serde_json::{Value, json};
//! use socketio::{
//!     DecodeError,
//!     encode::Frames,
//!     packet::Limits,
//!     parser::{Decoder, Frame, Incoming, Message, Outgoing, Parser},
//! };
//!
//! #[derive(Debug)]
//! struct JsonParser;
//!
//! impl Parser for JsonParser {
//!     fn encode(&self, packet: &Outgoing<'_>) -> Frames {
//!         let number = u8::from(packet.packet_type);
//!         let data: Value = serde_json::from_str(packet.data).unwrap_or_default();
//!         let packet = json!([number, packet.namespace, packet.id, data]);
//!         Frame::message(&packet.to_string()).into()
//!     }
//!
//!     fn decoder(&self) -> Box<dyn Decoder> {
//!         Box::new(JsonDecoder)
//!     }
//! }
//!
//! /// Each message is a packet, so there is nothing to keep between them.
//! struct JsonDecoder;
//!
//! impl Decoder for JsonDecoder {
//!     fn add(&mut self, message: &Message, _: &Limits, _: Instant) -> Result<Option<Incoming>, DecodeError> {
//!         let Message::Text(text) = message else {
//!             return Err(DecodeError::UnexpectedBinary);
//!         };
//!         let packet = serde_json::from_slice(text).map_err(|_| DecodeError::InvalidPayload)?;
//!         let (number, namespace, id, data): (u8, String, Option<u64>, Value) = packet;
//!         Ok(Some(Incoming {
//!             packet_type: number.try_into()?,
//!             namespace,
//!             id,
//!             data: if data.is_null() { String::new() } else { data.to_string() },
//!             attachments: Vec::new(),
//!         }))
//!     }
//! }
//!
//! # #[cfg(feature = "server")]
//! let io = socketio::Server::with_config(socketio::Config {
//!     parser: Some(Arc::new(JsonParser)),
//!     ..socketio::Config::default()
//! });
//! ```

pub mod msgpack;

use std::{fmt, time::Instant};

use bytes::Bytes;

pub use self::msgpack::Msgpack;
pub use engineio::{Frame, Message};

use crate::{
    assembler::Assembler,
    encode::{Frames, default_frames},
    error::DecodeError,
    packet::{Limits, Packet, PacketType},
};

/// How packets are written to the wire and read from it: the `parser` of the reference.
///
/// It is shared by all connections of a server, and no more than a function of what it is given: it must not wait for
/// anything, panic, or use the server and its sockets. Packets whose order is part of what they say, as with connection
/// state recovery, are written while the namespace is locked.
pub trait Parser: fmt::Debug + Send + Sync {
    /// Writes a packet, once for all its recipients. A packet that is no frame at all is not sent.
    fn encode(&self, packet: &Outgoing<'_>) -> Frames;

    /// A decoder for one connection.
    fn decoder(&self) -> Box<dyn Decoder>;
}

/// What reads the messages of one connection.
pub trait Decoder: Send {
    /// Takes the next message, and gives the packet that is complete with it, if any.
    ///
    /// What is kept of a packet that is not complete must have a bound; `limits` are those of the server, and `now` is
    /// the time. Whether the packet that it gives is within them, and means anything, is checked afterwards: see
    /// [`Packet::check`].
    ///
    /// # Errors
    ///
    /// If the message is no packet, and no part of one. The session is closed.
    fn add(
        &mut self,
        message: &Message,
        limits: &Limits,
        now: Instant,
    ) -> Result<Option<Incoming>, DecodeError>;
}

/// A packet that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// What the packet does. [`BinaryEvent`](PacketType::BinaryEvent) and [`BinaryAck`](PacketType::BinaryAck) are not
    /// used here: whether there are attachments tells as much.
    pub packet_type: PacketType,
    /// The namespace, which begins with a slash.
    pub namespace: &'a str,
    /// The number that joins an event and its answer.
    pub id: Option<u64>,
    /// JSON, or nothing. An array for an event, which begins with its name, and for an answer.
    pub data: &'a str,
    /// The binary values. Where one belongs stands `{"_placeholder":true,"num":N}` with its place in this list. Without
    /// any such objects are what they are.
    pub attachments: &'a [Bytes],
}

impl Outgoing<'_> {
    /// Writes the packet by this parser, or by the default one.
    pub fn frames(&self, parser: Option<&dyn Parser>) -> Frames {
        match parser {
            None => DefaultParser.encode(self),
            Some(parser) => parser.encode(self),
        }
    }
}

/// A packet that has arrived, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// What the packet does.
    pub packet_type: PacketType,
    /// The namespace, which begins with a slash.
    pub namespace: String,
    /// The number that joins an event and its answer.
    pub id: Option<u64>,
    /// JSON, or nothing. That of an event begins with its name.
    pub data: String,
    /// The binary values. Where one belongs stands `{"_placeholder":true,"num":N}` with its place in this list.
    pub attachments: Vec<Bytes>,
}

impl Incoming {
    fn new(packet: &Packet<'_>, attachments: Vec<Bytes>) -> Self {
        Self {
            packet_type: packet.packet_type,
            namespace: packet.namespace.to_owned(),
            id: packet.id,
            data: packet.data.to_owned(),
            attachments,
        }
    }
}

/// The parser of npm `socket.io-parser`, which servers and clients have by default.
///
/// To be wrapped by a parser that does more. A server that has no parser at all does the same, but faster, and refuses a
/// binary packet of a namespace that was not joined before its attachments have come.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultParser;

impl Parser for DefaultParser {
    fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        let data = [packet.data.as_bytes(), b""];
        default_frames(
            packet.packet_type,
            packet.namespace,
            packet.id,
            data,
            packet.attachments,
        )
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Assembler::default())
    }
}

impl Decoder for Assembler {
    fn add(
        &mut self,
        message: &Message,
        limits: &Limits,
        now: Instant,
    ) -> Result<Option<Incoming>, DecodeError> {
        let done = match message {
            Message::Text(_) if self.is_waiting() => return Err(DecodeError::UnexpectedText),
            Message::Text(text) => {
                let text = str::from_utf8(text).map_err(|_| DecodeError::InvalidUtf8)?;
                let packet = Packet::decode(text, limits)?;
                match packet.packet_type {
                    PacketType::BinaryEvent | PacketType::BinaryAck => {
                        self.begin(text, &packet, now, limits)?
                    }
                    _ => return Ok(Some(Incoming::new(&packet, Vec::new()))),
                }
            }
            Message::Binary(data) => self.attach(data, now, limits)?,
        };
        let Some(done) = done else { return Ok(None) };
        let attachments = done.attachments().to_vec();
        Ok(Some(Incoming::new(&done.packet(), attachments)))
    }
}

#[cfg(test)]
mod tests;
