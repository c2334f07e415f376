//! Payloads of Engine.IO 4: many packets in one long-polling body, separated by the character 0x1e. Those of Engine.IO 3
//! are in [`v3`].

pub mod v3;

use bytes::Bytes;
use data_encoding::BASE64;

use crate::{
    error::DecodeError,
    packet::{Frame, Packet},
};

const SEPARATOR: u8 = 0x1e;

/// Splits a body into its packets, lazily and without copying text.
///
/// The whole body is checked to be UTF-8 first. After the first error the iterator ends, so that nothing behind a
/// broken packet is delivered; the packets before it are.
pub fn decode(body: Bytes, max_packets: usize) -> Decode {
    let error = std::str::from_utf8(&body)
        .is_err()
        .then_some(DecodeError::InvalidUtf8);
    Decode {
        rest: Some(body),
        packets_left: max_packets,
        error,
    }
}

/// The packets of a body, in order. See [`decode`].
#[derive(Debug)]
pub struct Decode {
    rest: Option<Bytes>,
    packets_left: usize,
    error: Option<DecodeError>,
}

impl Decode {
    fn next_packet(&mut self, mut rest: Bytes) -> Result<Packet, DecodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.packets_left == 0 {
            return Err(DecodeError::TooManyPackets);
        }
        self.packets_left -= 1;
        match rest.iter().position(|byte| *byte == SEPARATOR) {
            Some(end) => {
                let packet = Packet::decode_text(rest.split_to(end))?;
                self.rest = Some(rest.slice(1..));
                Ok(packet)
            }
            None => Packet::decode_text(rest),
        }
    }
}

impl Iterator for Decode {
    type Item = Result<Packet, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(self.next_packet(rest))
    }
}

/// Joins frames into one body, binary ones as `b` and base64.
pub fn encode(frames: &[Frame]) -> Bytes {
    if let [Frame::Text(only)] = frames {
        return only.clone();
    }
    let mut body = Vec::with_capacity(frames.iter().map(|frame| encoded_len(frame) + 1).sum());
    for frame in frames {
        if !body.is_empty() {
            body.push(SEPARATOR);
        }
        match frame {
            Frame::Text(text) => body.extend_from_slice(text),
            Frame::Binary(data) => {
                body.push(b'b');
                body.extend_from_slice(BASE64.encode(data).as_bytes());
            }
        }
    }
    body.into()
}

/// How many bytes a frame takes in a body, without a separator.
pub(crate) fn encoded_len(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(data) => 1 + BASE64.encode_len(data.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Message;

    fn decode_all(body: &str) -> Vec<Result<Packet, DecodeError>> {
        decode(Bytes::from(body.to_owned()), 100).collect()
    }

    fn text(text: &'static str) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(Message::Text(Bytes::from_static(
            text.as_bytes(),
        ))))
    }

    #[test]
    fn splits_at_the_separator() {
        assert_eq!(decode_all("4a\x1e4b"), [text("a"), text("b")]);
        assert_eq!(
            decode_all("bAQI=\x1e2"),
            [
                Ok(Packet::Message(Message::Binary(Bytes::from_static(&[
                    1, 2
                ])))),
                Ok(Packet::Ping(Bytes::new())),
            ]
        );
    }

    #[test]
    fn stops_at_the_first_broken_packet() {
        assert_eq!(
            decode_all("4a\x1ex\x1e4b"),
            [text("a"), Err(DecodeError::UnknownType)]
        );
        assert_eq!(decode_all(""), [Err(DecodeError::Empty)]);
        assert_eq!(decode_all("4a\x1e"), [text("a"), Err(DecodeError::Empty)]);
        let not_utf8: Vec<_> = decode(Bytes::from_static(b"4a\x1e4\xff"), 100).collect();
        assert_eq!(not_utf8, [Err(DecodeError::InvalidUtf8)]);
    }

    #[test]
    fn counts_packets() {
        let packets: Vec<_> = decode(Bytes::from_static(b"4a\x1e4b\x1e4c"), 2).collect();
        assert_eq!(
            packets,
            [text("a"), text("b"), Err(DecodeError::TooManyPackets)]
        );
    }

    #[test]
    fn a_single_text_frame_is_not_copied() {
        let wire = Bytes::from(b"4hello".to_vec());
        assert_eq!(encode(&[Frame::Text(wire.clone())]).as_ptr(), wire.as_ptr());
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(messages in prop::collection::vec(message(), 1..20)) {
            let frames: Vec<Frame> = messages.iter().map(frame_of).collect();
            let decoded: Result<Vec<Packet>, _> = decode(encode(&frames), 20).collect();
            let expected: Vec<Packet> = messages.into_iter().map(Packet::Message).collect();
            prop_assert_eq!(decoded, Ok(expected));
        }

        /// The naive way: split the string, decode each part, stop at the first error.
        #[test]
        fn decodes_as_a_plain_split_would(body in "[0-9b\\x1ea-cA-C=]{0,40}") {
            let mut expected = Vec::new();
            for part in body.split('\x1e') {
                let packet = Packet::decode_text(Bytes::from(part.to_owned()));
                let broken = packet.is_err();
                expected.push(packet);
                if broken {
                    break;
                }
            }
            prop_assert_eq!(decode_all(&body), expected);
        }
    }

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            "[^\\x1e]{0,20}".prop_map(|text| Message::Text(text.into())),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|data| Message::Binary(data.into())),
        ]
    }

    fn frame_of(message: &Message) -> Frame {
        match message {
            Message::Text(text) => Frame::message(std::str::from_utf8(text).unwrap()),
            Message::Binary(data) => Frame::Binary(data.clone()),
        }
    }
}
