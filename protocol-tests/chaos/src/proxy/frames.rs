//! The frames of a WebSocket connection as its bytes come by, one way of it: masked or not. Pure.

/// Follows one way of a connection, from its first byte.
#[derive(Debug, Clone)]
pub struct Frames {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// HTTP comes first; so much of its end has been seen.
    Http(usize),
    Header(Vec<u8>),
    Payload {
        key: [u8; 4],
        is_text: bool,
        place: Place,
    },
}

/// A place in the payload of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub length: u64,
    /// How much of it has come.
    pub read: u64,
    /// How it begins, as far as that has come.
    pub start: [u8; 2],
}

const END_OF_HTTP: &[u8] = b"\r\n\r\n";

impl Frames {
    pub fn new() -> Self {
        Self {
            state: State::Http(0),
        }
    }

    /// Takes one byte; returns where it is, if it belongs to a text.
    pub fn feed(&mut self, byte: u8) -> Option<Place> {
        match &mut self.state {
            State::Http(matched) => {
                *matched = match byte == END_OF_HTTP[*matched] {
                    true => *matched + 1,
                    false => usize::from(byte == END_OF_HTTP[0]),
                };
                if *matched == END_OF_HTTP.len() {
                    self.state = State::Header(Vec::new());
                }
                None
            }
            State::Header(header) => {
                header.push(byte);
                if let Some(payload) = payload(header) {
                    self.state = payload;
                }
                None
            }
            State::Payload {
                key,
                is_text,
                place,
            } => {
                let index = usize::try_from(place.read).unwrap_or(usize::MAX);
                if let Some(start) = place.start.get_mut(index) {
                    *start = byte ^ key[index];
                }
                place.read += 1;
                let found = is_text.then_some(*place);
                if place.read == place.length {
                    self.state = State::Header(Vec::new());
                }
                found
            }
        }
    }
}

/// What follows a header, once it is complete.
fn payload(header: &[u8]) -> Option<State> {
    let [first, second, ..] = *header else {
        return None;
    };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let is_masked = second & 0x80 != 0;
    let key_at = 2 + extended;
    if header.len() < key_at + if is_masked { 4 } else { 0 } {
        return None;
    }
    let length = match extended {
        0 => u64::from(second & 0x7f),
        _ => header[2..key_at]
            .iter()
            .fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    if length == 0 {
        return Some(State::Header(Vec::new()));
    }
    Some(State::Payload {
        key: header[key_at..].try_into().unwrap_or_default(),
        // A whole one, and not compressed.
        is_text: first == 0x81,
        place: Place {
            length,
            read: 0,
            start: [0; 2],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(bytes: &[u8]) -> Vec<Place> {
        let mut frames = Frames::new();
        bytes.iter().filter_map(|byte| frames.feed(*byte)).collect()
    }

    #[test]
    fn texts_are_found_behind_the_head_whether_masked_or_not() {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let masked = |text: &[u8]| {
            let key = [7, 1, 200, 9];
            let body = text.iter().zip(key.iter().cycle());
            let body: Vec<u8> = body.map(|(byte, key)| byte ^ key).collect();
            [&[0x81, 0x80 | text.len() as u8], &key[..], &body].concat()
        };
        // A ping of WebSocket, an empty text, and two that are none of them.
        bytes.extend([0x89, 0x01, b'4', 0x81, 0x00]);
        bytes.extend(masked(b"42x"));
        bytes.extend([0x81, 0x01, b'5']);
        let place = |length, read, start| Place {
            length,
            read,
            start,
        };
        let expected = [
            place(3, 1, [b'4', 0]),
            place(3, 2, *b"42"),
            place(3, 3, *b"42"),
            place(1, 1, [b'5', 0]),
        ];
        assert_eq!(places(&bytes), expected);
    }

    #[test]
    fn longer_lengths_are_read() {
        for (header, length) in [
            (vec![0x81, 126, 1, 44], 300),
            (vec![0x81, 127, 0, 0, 0, 0, 0, 1, 17, 112], 70_000),
        ] {
            let text = vec![b'4'; length];
            let bytes = [&b"\r\n\r\n"[..], &header, &text, &[0x81, 1, b'5']].concat();
            let places = places(&bytes);
            assert_eq!(places.len(), length + 1);
            assert_eq!(places[length - 1].read, length as u64);
            assert_eq!(places[length].start[0], b'5');
        }
    }
}
