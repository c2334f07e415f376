//! Records of the store's file: a batch each, with a checksum that goes on from the record before.

use bytes::Bytes;
use event_log::{Append, Event, Offset};

/// Length and checksum.
const HEAD: usize = 8;

/// A batch as a record that follows one with this checksum. Also gives its own.
pub fn encode(before: u32, rows: &[(Append, Offset)]) -> (Vec<u8>, u32) {
    let mut body = Vec::new();
    for (append, offset) in rows {
        body.extend(offset.0.to_le_bytes());
        body.extend(append.at.to_le_bytes());
        for part in [
            append.stream.as_bytes(),
            append.author.as_bytes(),
            append.key.as_bytes(),
            &append.content,
        ] {
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            body.extend(len.to_le_bytes());
            body.extend(part);
        }
    }
    let sum = checksum(before, &body);
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(HEAD + body.len());
    record.extend(len.to_le_bytes());
    record.extend(sum.to_le_bytes());
    record.extend(body);
    (record, sum)
}

/// The rows of the record at the beginning of these bytes, its length and its checksum; nothing if it is not whole.
pub fn decode(before: u32, bytes: &[u8], trusts: bool) -> Option<(Vec<Event>, usize, u32)> {
    let (len, rest) = take_number(bytes)?;
    let (sum, rest) = take_number(rest)?;
    let body = rest.get(..usize::try_from(len).ok()?)?;
    if body.is_empty() || !trusts && checksum(before, body) != sum {
        return None;
    }
    let mut events = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (event, after) = take_event(rest)?;
        events.push(event);
        rest = after;
    }
    Some((events, HEAD + body.len(), sum))
}

fn checksum(before: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(body);
    hasher.finalize()
}

fn take_event(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (offset, rest) = bytes.split_first_chunk::<8>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (stream, rest) = take_part(rest)?;
    let (author, rest) = take_part(rest)?;
    let (key, rest) = take_part(rest)?;
    let (content, rest) = take_part(rest)?;
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let event = Event {
        stream: text(stream).into(),
        offset: Offset(u64::from_le_bytes(*offset)),
        author: text(author),
        key: text(key),
        content: Bytes::copy_from_slice(content),
        at: i64::from_le_bytes(*at),
    };
    Some((event, rest))
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = take_number(bytes)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

fn take_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_a_broken_one_is_not() {
        let append = Append {
            stream: "chat".to_owned(),
            author: "ann".to_owned(),
            key: "1".to_owned(),
            content: Bytes::from_static(b"hello"),
            at: 7,
        };
        let (bytes, sum) = encode(3, &[(append, Offset(1))]);
        let (events, len, read) = decode(3, &bytes, false).unwrap();
        assert_eq!((len, read), (bytes.len(), sum));
        assert_eq!(
            (&*events[0].content, events[0].offset),
            (&b"hello"[..], Offset(1))
        );
        assert!(decode(4, &bytes, false).is_none());
        for place in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[place] ^= 1;
            assert!(decode(3, &broken, false).is_none(), "{place}");
            assert!(decode(3, &bytes[..place], false).is_none(), "{place}");
        }
    }
}
