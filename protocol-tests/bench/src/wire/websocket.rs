//! Frames of WebSocket, from the client's side: whole messages only.

use super::WireError;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The key that clients say, and the answer that proves it was read: those of RFC 6455, section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
}

/// Appends a frame whose payload is the parts one after the other.
pub fn write(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(0x80 | short),
        (_, Ok(middle)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    for (byte, mask) in out[start..].iter_mut().zip(MASK.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Takes the first frame, and says how many bytes it had; nothing if it is not whole yet.
pub fn read(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, WireError> {
    let [first, second, rest @ ..] = input else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(WireError::Frame);
    }
    let (length, head): (u64, usize) = match *second {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    let length = usize::try_from(length).map_err(|_| WireError::Frame)?;
    let end = head.checked_add(length).ok_or(WireError::Frame)?;
    Ok(input.get(head..end).map(|payload| {
        let opcode = first & 0x0f;
        (Frame { opcode, payload }, end)
    }))
}

/// A server has to unmask whatever the mask is; only a mask of zeros would be a gift.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send, made of what a client sends.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        write(&mut frame, TEXT, &[payload]);
        let head = frame.len() - payload.len() - MASK.len();
        let mut plain = frame[..head].to_vec();
        plain[1] &= 0x7f;
        plain.extend(
            frame[head + 4..]
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        plain
    }

    #[test]
    fn frames_of_every_length_are_read_as_written_and_never_early() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut frame = unmasked(&payload);
            for cut in [0, 1, 2, frame.len() - 1] {
                if cut < frame.len() {
                    assert_eq!(read(&frame[..cut]), Ok(None), "{length} cut at {cut}");
                }
            }
            let whole = frame.len();
            frame.extend_from_slice(b"more");
            let expected = Frame {
                opcode: TEXT,
                payload: &payload,
            };
            assert_eq!(read(&frame), Ok(Some((expected, whole))));
        }
    }

    #[test]
    fn a_frame_of_a_client_is_that_of_the_rfc() {
        let mut frame = Vec::new();
        write(&mut frame, TEXT, &[b"Hel", b"lo"]);
        assert_eq!(frame, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn masked_fragmented_and_compressed_frames_are_errors() {
        for bytes in [b"\x81\x80", b"\x01\x00", b"\xc1\x00"] {
            assert_eq!(read(bytes), Err(WireError::Frame));
        }
    }
}
