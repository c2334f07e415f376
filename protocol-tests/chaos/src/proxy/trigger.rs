//! Waits for a place in a stream of bytes. Pure.

use super::frames::{Frames, Place};

/// A place that is to come.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// After so many bytes.
    Bytes(u64),
    Pattern(Pattern),
    Frame(Frame),
}

/// A place behind some bytes that are known.
#[derive(Debug, Clone)]
pub struct Pattern {
    pattern: &'static [u8],
    /// How many more times the pattern has to come.
    times: u64,
    /// How many bytes of it have been seen.
    matched: usize,
    behind: Behind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Before the last byte of the pattern.
    Before,
    /// So many bytes behind it.
    Bytes(u64),
}

/// A place in or behind a packet that is a text of a WebSocket.
#[derive(Debug, Clone)]
pub struct Frame {
    frames: Frames,
    packet: Packet,
    /// How many more of them have to come.
    times: u64,
    /// How much of the last one is let through, in thousandths.
    share: u64,
    /// After how many bytes of this payload the place is.
    at: Option<u64>,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// An event of Socket.IO. The place is always in the middle of it.
    Event,
    /// `2probe`, or the same with another type.
    Probe(u8),
    /// `5`.
    Upgrade,
}

impl Trigger {
    pub fn pattern(pattern: &'static [u8], times: u64, behind: Behind) -> Self {
        Self::Pattern(Pattern {
            pattern,
            times,
            matched: 0,
            behind,
        })
    }

    pub fn frame(packet: Packet, times: u64, share: u64) -> Self {
        Self::Frame(Frame {
            frames: Frames::new(),
            packet,
            times,
            share,
            at: None,
        })
    }

    /// Takes the next bytes; returns how many of them come before the place, once it is reached.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(left) => count(left, bytes),
            Self::Pattern(pattern) => pattern.feed(bytes),
            Self::Frame(frame) => frame.feed(bytes),
        }
    }
}

fn count(left: &mut u64, bytes: &[u8]) -> Option<usize> {
    let length = bytes.len() as u64;
    if *left > length {
        *left -= length;
        return None;
    }
    usize::try_from(*left).ok()
}

impl Pattern {
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        while self.times > 0 {
            let byte = *bytes.get(position)?;
            position += 1;
            // The patterns do not overlap with themselves but in their first byte.
            if byte == self.pattern[self.matched] {
                self.matched += 1;
            } else {
                self.matched = usize::from(byte == self.pattern[0]);
            }
            if self.matched == self.pattern.len() {
                self.matched = 0;
                self.times -= 1;
            }
        }
        match &mut self.behind {
            // Only now it came, so it is one of these bytes.
            Behind::Before => Some(position.saturating_sub(1)),
            Behind::Bytes(left) => count(left, &bytes[position..]).map(|more| position + more),
        }
    }
}

impl Frame {
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (position, byte) in bytes.iter().enumerate() {
            let Some(place) = self.frames.feed(*byte) else {
                continue;
            };
            if self.at.is_none() && self.packet.begins(place) {
                self.times -= 1;
                if self.times == 0 {
                    self.at = Some(self.packet.place(place.length, self.share));
                }
            }
            match self.at {
                Some(at) if at < place.read => return Some(position),
                Some(at) if at == place.read => return Some(position + 1),
                _ => {}
            }
        }
        None
    }
}

impl Packet {
    /// Whether so much of a payload shows, and not before, that it is this packet.
    fn begins(self, place: Place) -> bool {
        match self {
            Self::Event => place.read == 2 && place.length > 2 && place.start == *b"42",
            Self::Probe(kind) => place.read == 1 && place.length == 6 && place.start[0] == kind,
            Self::Upgrade => place.read == 1 && place.length == 1 && place.start[0] == b'5',
        }
    }

    /// After how many bytes of a payload of this length the place is.
    fn place(self, length: u64, share: u64) -> u64 {
        match self {
            Self::Event => 2 + share * (length - 2) / 1_001,
            Self::Probe(_) | Self::Upgrade => share * (length + 1) / 1_001,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the place is, the same however the bytes are split.
    fn place(trigger: &Trigger, bytes: &[u8]) -> Option<usize> {
        let whole = trigger.clone().feed(bytes);
        for size in 1..bytes.len() {
            let mut trigger = trigger.clone();
            let mut before = 0;
            let place = bytes.chunks(size).find_map(|chunk| {
                let place = trigger.feed(chunk).map(|place| before + place);
                before += chunk.len();
                place
            });
            assert_eq!(place, whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn a_place_behind_a_pattern_is_found() {
        let bytes = b"42[\"chat message\",\"a\"]42[\"chat message\",\"b\"] and more";
        let trigger = Trigger::pattern(b"\"chat message\"", 2, Behind::Bytes(5));
        assert_eq!(place(&trigger, bytes), Some(44));
        assert_eq!(&bytes[..44][41..], b"b\"]");
    }

    #[test]
    fn a_place_before_the_end_of_a_pattern_is_found() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n6";
        let trigger = Trigger::pattern(b"\r\n\r\n6", 1, Behind::Before);
        assert_eq!(place(&trigger, bytes), Some(bytes.len() - 1));
        let polled = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n42[";
        assert_eq!(place(&trigger, polled), None);
    }

    #[test]
    fn a_number_of_bytes_is_a_place() {
        assert_eq!(place(&Trigger::Bytes(5), b"abcdefg"), Some(5));
        assert_eq!(place(&Trigger::Bytes(9), b"abcdefg"), None);
    }

    #[test]
    fn every_place_of_a_probe_is_found_and_nothing_but_the_middle_of_an_event() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
        let bytes = [
            &head[..],
            b"\x81\x063probe",
            b"\x81\x0242",
            b"\x81\x0742[\"a\"]",
        ]
        .concat();
        let begin = head.len() + 2;
        let found = |packet| {
            let shares = (0..=1_000).step_by(100);
            let places =
                shares.filter_map(|share| place(&Trigger::frame(packet, 1, share), &bytes));
            let mut places: Vec<usize> = places.collect();
            places.dedup();
            places
        };
        assert_eq!(
            found(Packet::Probe(b'3')),
            (begin..=begin + 6).collect::<Vec<_>>()
        );
        let event = begin + 6 + 4 + 2;
        assert_eq!(
            found(Packet::Event),
            (event + 2..event + 7).collect::<Vec<_>>()
        );
        assert!(found(Packet::Upgrade).is_empty());
    }
}
