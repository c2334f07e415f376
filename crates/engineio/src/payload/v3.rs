//! Payloads of Engine.IO 3: many packets in one long-polling body, each behind its length.
//!
//! A body is text, `<length>:<packet>` with the length in UTF-16 code units, as JavaScript counts; or it is binary, if
//! the client takes that and there is binary data to send: a byte 0 for text or 1 for binary, the decimal digits of
//! the length in bytes as bytes 0 to 9, a byte 255, and the packet.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use data_encoding::BASE64;

use crate::{
    dialect::{Dialect, MESSAGE, Protocol},
    error::DecodeError,
    packet::{Frame, Packet},
};

/// The digits of a length. One of so many is longer than any body.
const MAX_DIGITS: usize = 20;

const TEXT: u8 = 0;
const BINARY: u8 = 1;
const END_OF_LENGTH: u8 = 255;

const DIALECT: Dialect = Dialect {
    protocol: Protocol::V3,
    base64: false,
};

/// Splits a body into its packets, lazily, in linear time and without copying text.
///
/// A text body is checked to be UTF-8 first, a binary one packet by packet. After the first error the iterator ends, so
/// that nothing behind a broken packet is delivered; the packets before it are.
pub fn decode(body: Bytes, is_binary: bool, max_packets: usize) -> Decode {
    let error = match std::str::from_utf8(&body) {
        _ if is_binary => None,
        Err(_) => Some(DecodeError::InvalidUtf8),
        Ok("") => Some(DecodeError::Empty),
        Ok(_) => None,
    };
    Decode {
        rest: Some(body),
        is_binary,
        packets_left: max_packets,
        error,
    }
}

/// The packets of a body, in order. See [`decode`].
#[derive(Debug)]
pub struct Decode {
    rest: Option<Bytes>,
    is_binary: bool,
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
        let packet = if self.is_binary {
            take_from_binary(&mut rest)?
        } else {
            take_from_text(&mut rest)?
        };
        self.rest = Some(rest);
        Ok(packet)
    }
}

impl Iterator for Decode {
    type Item = Result<Packet, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if rest.is_empty() && self.error.is_none() {
            return None;
        }
        Some(self.next_packet(rest))
    }
}

/// `rest` is valid UTF-8 and not empty.
fn take_from_text(rest: &mut Bytes) -> Result<Packet, DecodeError> {
    let head = rest.iter().take(MAX_DIGITS + 1);
    let digits = head.take_while(|byte| byte.is_ascii_digit()).count();
    let units = length(&rest[..digits], b'0')?;
    if rest.get(digits) != Some(&b':') {
        return Err(DecodeError::InvalidLength);
    }
    let mut packet = rest.split_off(digits + 1);
    *rest = packet.split_off(utf16_prefix(&packet, units)?);
    if packet.is_empty() {
        // What the reference's clients make of no packets at all.
        return Ok(Packet::Noop);
    }
    DIALECT.decode_text(packet)
}

fn take_from_binary(rest: &mut Bytes) -> Result<Packet, DecodeError> {
    let head = rest.iter().skip(1).take(MAX_DIGITS + 1);
    let digits = head.take_while(|byte| **byte <= 9).count();
    let bytes = length(&rest[1..1 + digits], 0)?;
    let kind = rest[0];
    if kind > BINARY || rest.get(1 + digits) != Some(&END_OF_LENGTH) {
        return Err(DecodeError::InvalidLength);
    }
    let mut packet = rest.split_off(digits + 2);
    if bytes > packet.len() {
        return Err(DecodeError::InvalidLength);
    }
    *rest = packet.split_off(bytes);
    if kind == BINARY {
        DIALECT.decode_binary(packet)
    } else if std::str::from_utf8(&packet).is_ok() {
        DIALECT.decode_text(packet)
    } else {
        Err(DecodeError::InvalidUtf8)
    }
}

/// The value of some digits, of which each is so much more than its value.
fn length(digits: &[u8], zero: u8) -> Result<usize, DecodeError> {
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err(DecodeError::InvalidLength);
    }
    let append = |value: usize, digit: &u8| {
        let value = value.checked_mul(10)?;
        value.checked_add(usize::from(digit - zero))
    };
    let value = digits.iter().try_fold(0, append);
    value.ok_or(DecodeError::InvalidLength)
}

/// How many bytes of valid UTF-8 hold so many UTF-16 code units.
fn utf16_prefix(text: &[u8], units: usize) -> Result<usize, DecodeError> {
    if units > text.len() {
        return Err(DecodeError::InvalidLength);
    }
    let mut left = units;
    let mut end = 0;
    while left > 0 {
        let first = *text.get(end).ok_or(DecodeError::InvalidLength)?;
        let (bytes, units) = match first {
            0..0x80 => (1, 1),
            0x80..0xe0 => (2, 1),
            0xe0..0xf0 => (3, 1),
            // A surrogate pair, which a length cannot cut in two.
            0xf0.. => (4, 2),
        };
        left = left.checked_sub(units).ok_or(DecodeError::InvalidLength)?;
        end += bytes;
    }
    Ok(end)
}

/// How many UTF-16 code units valid UTF-8 holds: one for each character, and one more for those of four bytes.
fn utf16_len(text: &[u8]) -> usize {
    let units = |byte: &u8| usize::from(byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0);
    text.iter().map(units).sum()
}

/// A long-polling body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// What is sent.
    pub body: Bytes,
    /// Whether it is binary: `application/octet-stream`, and not text.
    pub is_binary: bool,
}

/// Joins frames into one body: a binary one if there is binary data among them and the client has not asked for base64.
pub fn encode(frames: &[Frame], base64: bool) -> Payload {
    let has_binary = frames.iter().any(|frame| matches!(frame, Frame::Binary(_)));
    let is_binary = has_binary && !base64;
    let mut body = Vec::with_capacity(frames.iter().map(|frame| encoded_len(frame, base64)).sum());
    for frame in frames {
        if is_binary {
            append_to_binary(&mut body, frame);
        } else {
            append_to_text(&mut body, frame);
        }
    }
    Payload {
        body: body.into(),
        is_binary,
    }
}

fn append_to_binary(body: &mut Vec<u8>, frame: &Frame) {
    let (kind, prefix): (u8, &[u8]) = match frame {
        Frame::Text(_) => (TEXT, &[]),
        Frame::Binary(_) => (BINARY, &[MESSAGE]),
    };
    let length = (prefix.len() + frame.len()).to_string();
    body.push(kind);
    body.extend(length.bytes().map(|digit| digit - b'0'));
    body.push(END_OF_LENGTH);
    body.extend_from_slice(prefix);
    body.extend_from_slice(frame.bytes());
}

fn append_to_text(body: &mut Vec<u8>, frame: &Frame) {
    match frame {
        Frame::Text(text) => {
            body.extend_from_slice(utf16_len(text).to_string().as_bytes());
            body.push(b':');
            body.extend_from_slice(text);
        }
        Frame::Binary(data) => {
            let length = 2 + BASE64.encode_len(data.len());
            body.extend_from_slice(length.to_string().as_bytes());
            body.extend_from_slice(b":b4");
            body.extend_from_slice(BASE64.encode(data).as_bytes());
        }
    }
}

/// How many bytes a frame takes in a body at most.
pub(crate) fn encoded_len(frame: &Frame, base64: bool) -> usize {
    let packet = match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(data) if base64 => 2 + BASE64.encode_len(data.len()),
        Frame::Binary(data) => 1 + data.len(),
    };
    let digits = packet.checked_ilog10().unwrap_or(0) as usize + 1;
    packet + digits + 2
}
