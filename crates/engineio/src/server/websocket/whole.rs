//! `Whole`: the head of a frame that is a whole message, and what is to be done with its payload. Nearly all frames are such.

use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

/// The head of a frame that is a whole message of a client, and breaks no rule.
pub(super) struct Whole {
    pub(super) data: Data,
    pub(super) head_len: usize,
    pub(super) payload_len: usize,
    pub(super) mask: [u8; 4],
}

impl Whole {
    /// RFC 6455, section 5.2: final, without reserved bits, masked. None also if the head has not all come.
    pub(super) fn parse(input: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = input.split_first_chunk()?;
        let data = match first {
            0x81 => Data::Text,
            0x82 => Data::Binary,
            _ => return None,
        };
        let (payload_len, rest) = match second {
            0x80..=0xfd => (u64::from(second & 0x7f), rest),
            0xfe => {
                let (length, rest) = rest.split_first_chunk()?;
                (u16::from_be_bytes(*length).into(), rest)
            }
            0xff => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest)
            }
            _ => return None,
        };
        let (mask, rest) = rest.split_first_chunk()?;
        Some(Self {
            data,
            head_len: input.len() - rest.len(),
            payload_len: usize::try_from(payload_len).unwrap_or(usize::MAX),
            mask: *mask,
        })
    }
}

/// Nearly all text is ASCII, which is found out for many bytes at once.
pub(super) fn is_utf8(text: &[u8]) -> bool {
    let all = text.iter().fold(0, |all, byte| all | byte);
    all.is_ascii() || str::from_utf8(text).is_ok()
}

/// RFC 6455, section 5.3: what a client sends is masked by four bytes over and over.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u32::from_ne_bytes(mask);
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::frame::{FrameHeader, coding::OpCode};

    use super::*;

    /// The long way: whatever the library reads, if it is a whole message.
    fn naive(input: &[u8]) -> Option<(Data, usize, usize, [u8; 4])> {
        let mut cursor = Cursor::new(input);
        let (header, payload_len) = FrameHeader::parse(&mut cursor).ok()??;
        let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
        let is_plain = header.is_final && !(header.rsv1 || header.rsv2 || header.rsv3);
        match header.opcode {
            OpCode::Data(data @ (Data::Text | Data::Binary)) if is_plain => {
                Some((data, cursor.position() as usize, payload_len, header.mask?))
            }
            _ => None,
        }
    }

    #[test]
    fn a_head_means_what_it_means_to_the_library() {
        let mut found = 0;
        for first in 0..=u8::MAX {
            for second in [0, 1, 125, 126, 127, 128, 129, 253, 254, 255] {
                let mut input = [first, second, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
                for longest in [false, true] {
                    input[2] = if longest { 0xff } else { 1 };
                    for len in 0..=input.len() {
                        let input = &input[..len];
                        let whole = Whole::parse(input);
                        found += usize::from(whole.is_some());
                        let parts = whole.map(|it| (it.data, it.head_len, it.payload_len, it.mask));
                        assert_eq!(parts, naive(input), "{input:?}");
                    }
                }
            }
        }
        assert!(found > 100);
    }

    #[test]
    fn text_is_told_from_other_bytes() {
        assert!(is_utf8(b""));
        assert!(is_utf8("plain and é and 😀".as_bytes()));
        assert!(!is_utf8(b"plain and \xff"));
        assert!(!is_utf8("é".as_bytes().split_at(1).0));
    }
}
