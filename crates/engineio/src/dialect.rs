//! `Dialect`: the version of the protocol that a client speaks and whether its wire takes binary data, and what single
//! packets look like on it.
//!
//! Protocol 4 is the plain case. In protocol 3 a binary packet begins with the number of its type as a byte, base64
//! has the type as a digit behind the `b`, and the heartbeat goes the other way: the client pings. Text packets are the
//! same, so what is encoded once can be sent to clients of both.

use bytes::Bytes;
use data_encoding::BASE64;

use crate::{
    error::DecodeError,
    packet::{Frame, Message, Packet, decode_base64},
};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Protocol {
    /// That of the clients 2 of Socket.IO, spoken only with [`Config::allow_eio3`](crate::Config::allow_eio3).
    V3 = 3,
    /// The present one.
    V4 = 4,
}

/// What a client understands on one of its wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The version of the protocol, the same on all wires of a session.
    pub protocol: Protocol,
    /// Whether binary messages are sent as base64, in text, because the client has asked for it (`b64`).
    pub base64: bool,
}

impl Dialect {
    /// Protocol 4 with binary data.
    pub const V4: Self = Self {
        protocol: Protocol::V4,
        base64: false,
    };

    /// Decodes a packet that came as text. The caller has seen to it that `text` is valid UTF-8.
    pub fn decode_text(self, text: Bytes) -> Result<Packet, DecodeError> {
        match (self.protocol, text.first()) {
            (Protocol::V3, Some(b'b')) => {
                let digit = text.get(1).ok_or(DecodeError::UnknownType)?;
                let kind = digit.wrapping_sub(b'0');
                decode_typed(kind, || decode_base64(&text[2..]))
            }
            _ => Packet::decode_text(text),
        }
    }

    /// Decodes a packet that came as binary data.
    pub fn decode_binary(self, data: Bytes) -> Result<Packet, DecodeError> {
        match (self.protocol, data.first()) {
            (Protocol::V4, _) => Ok(Packet::Message(Message::Binary(data))),
            (Protocol::V3, Some(kind)) => decode_typed(*kind, || Ok(data.slice(1..))),
            (Protocol::V3, None) => Err(DecodeError::Empty),
        }
    }

    /// A frame as one WebSocket message. In protocol 4 these are the very bytes of the frame.
    pub fn encode(self, frame: Frame) -> Frame {
        let Frame::Binary(data) = &frame else {
            return frame;
        };
        match (self.protocol, self.base64) {
            (Protocol::V4, false) => frame,
            (Protocol::V4, true) => Frame::Text(base64_packet("b", data).into()),
            (Protocol::V3, false) => {
                let mut wire = Vec::with_capacity(data.len() + 1);
                wire.push(MESSAGE);
                wire.extend_from_slice(data);
                Frame::Binary(wire.into())
            }
            (Protocol::V3, true) => Frame::Text(base64_packet("b4", data).into()),
        }
    }
}

/// The number of the packet type `message`.
pub(crate) const MESSAGE: u8 = 4;

/// A prefix, then the data in base64.
fn base64_packet(prefix: &str, data: &[u8]) -> String {
    let mut wire = String::with_capacity(prefix.len() + BASE64.encode_len(data.len()));
    wire.push_str(prefix);
    BASE64.encode_append(data, &mut wire);
    wire
}

/// A packet of protocol 3 with binary data. Only a message has any: that of the others means nothing, as in the
/// reference, to which `probe` in binary is no probe.
fn decode_typed(
    kind: u8,
    data: impl FnOnce() -> Result<Bytes, DecodeError>,
) -> Result<Packet, DecodeError> {
    match kind {
        0 => Ok(Packet::Open(Bytes::new())),
        1 => Ok(Packet::Close),
        2 => Ok(Packet::Ping(Bytes::new())),
        3 => Ok(Packet::Pong(Bytes::new())),
        MESSAGE => data().map(|data| Packet::Message(Message::Binary(data))),
        5 => Ok(Packet::Upgrade),
        6 => Ok(Packet::Noop),
        _ => Err(DecodeError::UnknownType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V3: Dialect = Dialect {
        protocol: Protocol::V3,
        base64: false,
    };

    fn with_base64(dialect: Dialect) -> Dialect {
        Dialect {
            base64: true,
            ..dialect
        }
    }

    fn bytes(data: &'static [u8]) -> Bytes {
        Bytes::from_static(data)
    }

    fn binary(data: &'static [u8]) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(Message::Binary(bytes(data))))
    }

    #[test]
    fn text_is_decoded_alike_but_for_base64() {
        for text in [
            "0{}",
            "1",
            "2probe",
            "3",
            "4h\u{e9}llo",
            "5",
            "6",
            "7",
            "",
            "x",
        ] {
            let text = bytes(text.as_bytes());
            let expected = Packet::decode_text(text.clone());
            assert_eq!(Dialect::V4.decode_text(text.clone()), expected);
            assert_eq!(V3.decode_text(text), expected);
        }
        assert_eq!(
            Dialect::V4.decode_text(bytes(b"b4AQI")),
            binary(&[0xe0, 0x04, 0x08])
        );
        for (text, expected) in [
            ("b4AQI=", binary(&[1, 2])),
            ("b4AQI", binary(&[1, 2])),
            ("b4", binary(&[])),
            ("b1", Ok(Packet::Close)),
            ("b2AQI=", Ok(Packet::Ping(Bytes::new()))),
            ("b6", Ok(Packet::Noop)),
            ("b4*", Err(DecodeError::InvalidBase64)),
            ("b", Err(DecodeError::UnknownType)),
            ("b7AQI=", Err(DecodeError::UnknownType)),
            ("bAQI=", Err(DecodeError::UnknownType)),
            ("b\u{e9}", Err(DecodeError::UnknownType)),
        ] {
            assert_eq!(V3.decode_text(bytes(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn binary_data_begins_with_its_type_in_protocol_3() {
        assert_eq!(Dialect::V4.decode_binary(bytes(&[4, 1])), binary(&[4, 1]));
        assert_eq!(Dialect::V4.decode_binary(bytes(&[])), binary(&[]));
        for (data, expected) in [
            (&[4, 1, 2][..], binary(&[1, 2])),
            (&[4], binary(&[])),
            (&[0, b'{'], Ok(Packet::Open(Bytes::new()))),
            (&[1], Ok(Packet::Close)),
            (b"\x02probe", Ok(Packet::Ping(Bytes::new()))),
            (&[3, 0xff], Ok(Packet::Pong(Bytes::new()))),
            (&[5], Ok(Packet::Upgrade)),
            (&[6], Ok(Packet::Noop)),
            (&[7, 1], Err(DecodeError::UnknownType)),
            (b"4a", Err(DecodeError::UnknownType)),
            (&[], Err(DecodeError::Empty)),
        ] {
            assert_eq!(V3.decode_binary(bytes(data)), expected, "{data:?}");
        }
    }

    #[test]
    fn a_binary_message_goes_out_as_the_wire_wants_it() {
        let frame = Frame::Binary(bytes(&[1, 2]));
        let text = |text: &'static str| Frame::Text(bytes(text.as_bytes()));
        for (dialect, expected) in [
            (Dialect::V4, frame.clone()),
            (with_base64(Dialect::V4), text("bAQI=")),
            (V3, Frame::Binary(bytes(&[4, 1, 2]))),
            (with_base64(V3), text("b4AQI=")),
        ] {
            assert_eq!(dialect.encode(frame.clone()), expected, "{dialect:?}");
            assert_eq!(dialect.encode(text("4a")), text("4a"), "{dialect:?}");
        }
    }

    #[test]
    fn what_is_shared_is_not_copied() {
        let wire = Bytes::from(b"4hello".to_vec());
        for dialect in [Dialect::V4, V3, with_base64(V3)] {
            let encoded = dialect.encode(Frame::Text(wire.clone()));
            assert_eq!(encoded.bytes().as_ptr(), wire.as_ptr());
        }
        let encoded = Dialect::V4.encode(Frame::Binary(wire.clone()));
        assert_eq!(encoded.bytes().as_ptr(), wire.as_ptr());
    }
}
