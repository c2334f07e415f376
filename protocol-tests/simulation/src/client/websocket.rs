//! WebSocket (RFC 6455) as a client writes and reads it.

use bytes::Bytes;
use chaos::rng::Rng;
use data_encoding::BASE64;

use super::http;

/// What a server sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Close,
}

/// Reads frames out of pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// The message of which not all frames have come.
    begun: Option<(u8, Vec<u8>)>,
}

/// What arrived is no WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PONG: u8 = 10;

/// The request that asks for one.
pub fn request(sid: Option<&str>, rng: &mut Rng) -> Vec<u8> {
    let nonce = [rng.draw().to_le_bytes(), rng.draw().to_le_bytes()].concat();
    let key = BASE64.encode(&nonce);
    let more = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    http::request(sid, "websocket", &more, None)
}

/// A message in one frame or, now and then, in several.
pub fn encode(kind: u8, data: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    if kind < CLOSE && data.len() > 1 && rng.chance(50) {
        let (first, rest) = data.split_at(rng.size(1..data.len() as u64));
        frame(&mut bytes, kind, first, rng);
        frame(&mut bytes, 0x80, rest, rng);
    } else {
        frame(&mut bytes, 0x80 | kind, data, rng);
    }
    bytes
}

fn frame(bytes: &mut Vec<u8>, head: u8, data: &[u8], rng: &mut Rng) {
    bytes.push(head);
    match data.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    let mask: [u8; 4] = (rng.draw() as u32).to_le_bytes();
    bytes.extend(mask);
    bytes.extend(
        data.iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it is whole.
    pub fn next_message(&mut self) -> Result<Option<Received>, Broken> {
        while let Some((head, data)) = self.next_frame()? {
            let is_last = head & 0x80 != 0;
            let received = match (head & 0x0f, self.begun.take()) {
                (0, Some((kind, mut begun))) => {
                    begun.extend(data);
                    if !is_last {
                        self.begun = Some((kind, begun));
                        continue;
                    }
                    message(kind, begun)
                }
                (kind @ (TEXT | BINARY), None) => {
                    if !is_last {
                        self.begun = Some((kind, data));
                        continue;
                    }
                    message(kind, data)
                }
                (CLOSE, _) => Received::Close,
                (9, begun) => {
                    self.begun = begun;
                    Received::Ping(data.into())
                }
                (PONG, begun) => {
                    self.begun = begun;
                    continue;
                }
                _ => return Err(Broken),
            };
            return Ok(Some(received));
        }
        Ok(None)
    }

    fn next_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, Broken> {
        let [head, len, rest @ ..] = &self.bytes[..] else {
            return Ok(None);
        };
        // A server masks nothing, and no extension was asked for.
        if len & 0x80 != 0 || head & 0x70 != 0 {
            return Err(Broken);
        }
        let (len, start): (usize, usize) = match len {
            126 => match rest.first_chunk::<2>() {
                Some(len) => (usize::from(u16::from_be_bytes(*len)), 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(len) => {
                    let len = u64::from_be_bytes(*len);
                    (usize::try_from(len).map_err(|_| Broken)?, 10)
                }
                None => return Ok(None),
            },
            len => (usize::from(*len), 2),
        };
        let head = *head;
        let end = start.checked_add(len).ok_or(Broken)?;
        let Some(data) = self.bytes.get(start..end) else {
            return Ok(None);
        };
        let data = data.to_vec();
        self.bytes.drain(..end);
        Ok(Some((head, data)))
    }
}

fn message(kind: u8, data: Vec<u8>) -> Received {
    if kind == TEXT {
        Received::Text(data.into())
    } else {
        Received::Binary(data.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let long = [7; 300];
        let bytes = [
            &[0x81, 2, b'h', b'i'][..],
            &[0x01, 1, b'a', 0x89, 0, 0x80, 1, b'b'],
            &[0x82, 126, 1, 44],
            &long,
            &[0x88, 0],
        ]
        .concat();
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for byte in bytes {
            decoder.push(&[byte]);
            all.extend(decoder.next_message().unwrap());
        }
        let text = |text: &'static [u8]| Received::Text(Bytes::from_static(text));
        let expected = [
            text(b"hi"),
            Received::Ping(Bytes::new()),
            text(b"ab"),
            Received::Binary(Bytes::copy_from_slice(&long)),
            Received::Close,
        ];
        assert_eq!(all, expected);
        decoder.push(&[0x81, 0x80]);
        assert_eq!(decoder.next_message(), Err(Broken));
    }
}
