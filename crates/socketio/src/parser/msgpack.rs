//! The parser of npm `socket.io-msgpack-parser`: each packet is one binary message, a map in MessagePack.
//!
//! ```text
//! {type: 0..4, data, id, nsp}       data and id where there are any; other keys are passed over
//! ```
//!
//! Binary values stand where they belong, so that there are neither placeholders nor messages that follow. What
//! MessagePack has and JSON has not arrives as what JavaScript makes of it when it writes JSON:
//!
//! | MessagePack | arrives as |
//! | --- | --- |
//! | an integer, of 64 bits too | the integer, exactly |
//! | a float without a fraction, up to 2^53 | an integer |
//! | NaN and the infinities | `null` |
//! | `undefined` (extension 0 of one byte) | `null`, and no member at all in a map |
//! | a date (extension 0 of eight bytes) | an ISO 8601 string |
//! | an `ArrayBuffer` (extension 0 with a length) | binary data |
//! | another extension | a list of its type and its data |
//! | an integer as the key of a map | its digits |
//!
//! Other keys, text that is not UTF-8, bytes after the packet and lengths beyond its end are errors.
//!
//! ```
//! # #[cfg(feature = "server")]
//! # {
//! use std::sync::Arc;
//!
//! use socketio::{Config, Server, parser::Msgpack};
//!
//! let io = Server::with_config(Config { parser: Some(Arc::new(Msgpack)), ..Config::default() });
//! # }
//! ```

mod date;
mod read;
mod write;

use std::time::Instant;

use bytes::Bytes;
use engineio::{Frame, Message};
use rmp::encode::ValueWriteError;

use self::read::{BinaryAs, Reader, Value};
use super::{Decoder, Incoming, Outgoing, Parser};
use crate::{
    encode::Frames,
    error::DecodeError,
    packet::{Limits, PacketType},
};

/// The parser of npm `socket.io-msgpack-parser`; see the [module](self).
///
/// A packet of 4 GiB or more cannot be written, and is not sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Msgpack;

impl Parser for Msgpack {
    fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        let attachments = packet.attachments.iter().map(Bytes::len);
        let len = attachments.sum::<usize>() + packet.data.len() + packet.namespace.len();
        if u32::try_from(len).is_err() {
            return Frames::from_iter([]);
        }
        let mut message = Vec::with_capacity(len + HEAD);
        write(&mut message, packet).expect("a vector takes any number of bytes");
        Frame::Binary(message.into()).into()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(MsgpackDecoder)
    }
}

/// In the order of the reference.
fn write(message: &mut Vec<u8>, packet: &Outgoing<'_>) -> Result<(), ValueWriteError> {
    let entries = 2 + u32::from(!packet.data.is_empty()) + u32::from(packet.id.is_some());
    let number = match packet.packet_type {
        PacketType::BinaryEvent => PacketType::Event,
        PacketType::BinaryAck => PacketType::Ack,
        packet_type => packet_type,
    };
    rmp::encode::write_map_len(message, entries)?;
    rmp::encode::write_str(message, "type")?;
    rmp::encode::write_uint(message, u8::from(number).into())?;
    if !packet.data.is_empty() {
        rmp::encode::write_str(message, "data")?;
        write::json(message, packet.data, packet.attachments)?;
    }
    if let Some(id) = packet.id {
        rmp::encode::write_str(message, "id")?;
        rmp::encode::write_uint(message, id)?;
    }
    rmp::encode::write_str(message, "nsp")?;
    rmp::encode::write_str(message, packet.namespace)
}

/// Each message is a packet, so that there is nothing to keep.
struct MsgpackDecoder;

impl Decoder for MsgpackDecoder {
    fn add(
        &mut self,
        message: &Message,
        limits: &Limits,
        _now: Instant,
    ) -> Result<Option<Incoming>, DecodeError> {
        match message {
            Message::Text(_) => Err(DecodeError::UnexpectedText),
            Message::Binary(message) => read(message, limits).map(Some),
        }
    }
}

fn read(message: &[u8], limits: &Limits) -> Result<Incoming, DecodeError> {
    let fields = Fields::of(message)?;
    let packet_type = match fields.packet_type.map(Value::of).transpose()? {
        Some(Value::Uint(number @ 0..=4)) => PacketType::try_from(number as u8)?,
        _ => return Err(DecodeError::UnknownType),
    };
    let namespace = match fields.namespace.map(Value::of).transpose()? {
        Some(Value::Text(namespace)) => namespace.to_owned(),
        _ => return Err(DecodeError::InvalidNamespace),
    };
    let id = match fields.id.map(Value::of).transpose()? {
        None | Some(Value::Undefined) => None,
        Some(Value::Uint(id)) => Some(id),
        Some(Value::Int(_) | Value::Float(_)) => return Err(DecodeError::AckIdOutOfRange),
        Some(_) => return Err(DecodeError::InvalidPayload),
    };
    let (data, attachments) = match fields.data {
        Some(data) if !matches!(Value::of(data)?, Value::Undefined) => {
            // The auth payload is kept as JSON alone.
            let binary = match packet_type {
                PacketType::Connect => BinaryAs::Numbers,
                _ => BinaryAs::Attachments {
                    max: limits.max_attachments,
                },
            };
            read::json(data, binary)?
        }
        _ if matches!(packet_type, PacketType::Event | PacketType::Ack) => {
            return Err(DecodeError::InvalidPayload);
        }
        _ => Default::default(),
    };
    Ok(Incoming {
        packet_type,
        namespace,
        id,
        data,
        attachments,
    })
}

/// The values of a packet's map, as they stand in the message. Of repeated keys the last one counts.
#[derive(Default)]
struct Fields<'a> {
    packet_type: Option<&'a [u8]>,
    namespace: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn of(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        let Value::Map(len) = reader.next()? else {
            return Err(DecodeError::InvalidPayload);
        };
        let mut fields = Self::default();
        for _ in 0..len {
            let key = reader.next()?;
            let value = reader.skip()?;
            match key {
                Value::Text("type") => fields.packet_type = Some(value),
                Value::Text("nsp") => fields.namespace = Some(value),
                Value::Text("id") => fields.id = Some(value),
                Value::Text("data") => fields.data = Some(value),
                Value::Text(_) | Value::Uint(_) | Value::Int(_) => {}
                _ => return Err(DecodeError::InvalidPayload),
            }
        }
        if !reader.is_empty() {
            return Err(DecodeError::InvalidPayload);
        }
        Ok(fields)
    }
}

/// What a packet takes on top of its namespace and data, if the data takes as much as its JSON.
const HEAD: usize = 40;

#[cfg(test)]
mod tests;
