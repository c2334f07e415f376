//! Packets of Engine.IO: one incoming `Packet` decoded without copying, one outgoing `Frame` encoded once.
//!
//! See the protocol's section "Packet encoding": a type digit, then the data; binary messages are the bytes
//! themselves on WebSocket, and `b` plus base64 on long-polling. What protocol 3 does otherwise is in
//! [`dialect`](crate::dialect).

use std::sync::LazyLock;

use bytes::{Buf, Bytes};
use data_encoding::{Encoding, Specification};

use crate::error::DecodeError;

/// A message from the client. Both kinds are slices of a read buffer: cheap to hand on, copied by whoever keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, valid UTF-8, without the packet type.
    Text(Bytes),
    /// Binary data.
    Binary(Bytes),
}

/// A packet from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `0`, sent by the server only.
    Open(Bytes),
    /// `1`, ends the session.
    Close,
    /// `2`, in protocol 4 sent by the client only as the probe of an upgrade, with the data `probe`; in protocol 3 its
    /// heartbeat, too.
    Ping(Bytes),
    /// `3`, the answer to a ping. In protocol 3 it is the server that gives it.
    Pong(Bytes),
    /// `4`, or binary data.
    Message(Message),
    /// `5`, completes an upgrade.
    Upgrade,
    /// `6`, means nothing.
    Noop,
}

impl Packet {
    /// Decodes a text packet. The caller has seen to it that `text` is valid UTF-8.
    pub fn decode_text(mut text: Bytes) -> Result<Self, DecodeError> {
        let kind = *text.first().ok_or(DecodeError::Empty)?;
        text.advance(1);
        match kind {
            b'0' => Ok(Self::Open(text)),
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping(text)),
            b'3' => Ok(Self::Pong(text)),
            b'4' => Ok(Self::Message(Message::Text(text))),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            b'b' => decode_base64(&text).map(|data| Self::Message(Message::Binary(data))),
            _ => Err(DecodeError::UnknownType),
        }
    }
}

/// A packet for the client, in the bytes that a WebSocket of protocol 4 wants. Cloning counts a reference; for the wires
/// that want binary data otherwise it is made so when it is transmitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text packet, its type digit included; valid UTF-8.
    Text(Bytes),
    /// A binary message: its data.
    Binary(Bytes),
}

impl Frame {
    /// A text message: `4` and the text.
    pub fn message(text: &str) -> Self {
        let mut wire = Vec::with_capacity(text.len() + 1);
        wire.push(b'4');
        wire.extend_from_slice(text.as_bytes());
        Self::Text(wire.into())
    }

    /// The bytes of the frame.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }

    /// How many bytes the frame holds.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether the frame holds no bytes, as an empty binary message does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub(crate) const CLOSE: Frame = Frame::Text(Bytes::from_static(b"1"));
pub(crate) const PING: Frame = Frame::Text(Bytes::from_static(b"2"));
pub(crate) const PING_PROBE: Frame = Frame::Text(Bytes::from_static(b"2probe"));
pub(crate) const PONG: Frame = Frame::Text(Bytes::from_static(b"3"));
pub(crate) const PONG_PROBE: Frame = Frame::Text(Bytes::from_static(b"3probe"));
pub(crate) const UPGRADE: Frame = Frame::Text(Bytes::from_static(b"5"));
pub(crate) const NOOP: Frame = Frame::Text(Bytes::from_static(b"6"));

/// The data of a binary packet that came as text.
pub(crate) fn decode_base64(text: &[u8]) -> Result<Bytes, DecodeError> {
    match BASE64_LENIENT.decode(text) {
        Ok(data) => Ok(data.into()),
        Err(_) => Err(DecodeError::InvalidBase64),
    }
}

/// As the reference decodes: with or without padding, in the standard or the URL-safe alphabet.
static BASE64_LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    spec.translate.from.push_str("-_");
    spec.translate.to.push_str("+/");
    spec.ignore.push('=');
    spec.check_trailing_bits = false;
    spec.encoding().expect("the specification is constant")
});

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &'static str) -> Result<Packet, DecodeError> {
        Packet::decode_text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn decodes_every_type() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(decode("0{}"), Ok(Packet::Open(bytes("{}"))));
        assert_eq!(decode("1"), Ok(Packet::Close));
        assert_eq!(decode("2probe"), Ok(Packet::Ping(bytes("probe"))));
        assert_eq!(decode("3"), Ok(Packet::Pong(bytes(""))));
        assert_eq!(
            decode("4héllo"),
            Ok(Packet::Message(Message::Text(bytes("héllo"))))
        );
        assert_eq!(decode("5"), Ok(Packet::Upgrade));
        assert_eq!(decode("6"), Ok(Packet::Noop));
    }

    #[test]
    fn decodes_base64_with_and_without_padding_in_both_alphabets() {
        let expected = Ok(Packet::Message(Message::Binary(Bytes::from_static(&[
            0xfb, 0xff, 0x01, 0x02,
        ]))));
        for text in ["b+/8BAg==", "b-_8BAg==", "b+/8BAg", "b-_8BAg"] {
            assert_eq!(decode(text), expected, "{text}");
        }
        assert_eq!(
            decode("b"),
            Ok(Packet::Message(Message::Binary(Bytes::new())))
        );
    }

    #[test]
    fn refuses_what_is_no_packet() {
        assert_eq!(decode(""), Err(DecodeError::Empty));
        assert_eq!(decode("7"), Err(DecodeError::UnknownType));
        assert_eq!(decode("é"), Err(DecodeError::UnknownType));
        assert_eq!(decode("b*"), Err(DecodeError::InvalidBase64));
    }

    #[test]
    fn decoding_does_not_copy() {
        let text = Bytes::from(b"4hello".to_vec());
        let start = text.as_ptr();
        let Ok(Packet::Message(Message::Text(data))) = Packet::decode_text(text) else {
            panic!("not a message")
        };
        assert_eq!(data.as_ptr(), start.wrapping_add(1));
    }
}
