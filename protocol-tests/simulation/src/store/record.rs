//! Records of the store's file: a batch or a limit each, with a checksum that goes on from the record before.

use bytes::Bytes;
use event_log::{Append, Event, Offset};

/// Length and checksum.
const HEAD: usize = 8;

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub enum Record {
    Stored(Vec<Event>),
    /// The events of a stream before an offset are gone.
    Forgotten(String, Offset),
}

const STORED: u8 = 1;
const FORGOTTEN: u8 = 2;

/// A batch as a record that follows one with this checksum. Also gives its own.
pub fn stored(before: u32, rows: &[(Append, Offset)]) -> (Vec<u8>, u32) {
    let mut body = vec![STORED];
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
    seal(before, &body)
}

/// That the events of a stream before an offset are gone, as a record.
pub fn forgotten(before: u32, stream: &str, first: Offset) -> (Vec<u8>, u32) {
    let mut body = vec![FORGOTTEN];
    body.extend(first.0.to_le_bytes());
    body.extend(stream.as_bytes());
    seal(before, &body)
}

fn seal(before: u32, body: &[u8]) -> (Vec<u8>, u32) {
    let sum = checksum(before, body);
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(HEAD + body.len());
    record.extend(len.to_le_bytes());
    record.extend(sum.to_le_bytes());
    record.extend(body);
    (record, sum)
}

/// The record at the beginning of these bytes, its length and its checksum; nothing if it is not whole.
pub fn decode(before: u32, bytes: &[u8], trusts: bool) -> Option<(Record, usize, u32)> {
    let (len, rest) = take_number(bytes)?;
    let (sum, rest) = take_number(rest)?;
    let body = rest.get(..usize::try_from(len).ok()?)?;
    if !trusts && checksum(before, body) != sum {
        return None;
    }
    let (kind, mut rest) = body.split_first()?;
    let record = if *kind == FORGOTTEN {
        let (first, stream) = rest.split_first_chunk::<8>()?;
        let stream = String::from_utf8_lossy(stream).into_owned();
        Record::Forgotten(stream, Offset(u64::from_le_bytes(*first)))
    } else {
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (event, after) = take_event(rest)?;
            events.push(event);
            rest = after;
        }
        Record::Stored(events)
    };
    Some((record, HEAD + body.len(), sum))
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
        let (bytes, sum) = stored(3, &[(append, Offset(1))]);
        let (record, len, read) = decode(3, &bytes, false).unwrap();
        assert_eq!((len, read), (bytes.len(), sum));
        let Record::Stored(events) = record else {
            panic!("{record:?}")
        };
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

    #[test]
    fn what_was_forgotten_is_read_back() {
        let (bytes, sum) = forgotten(5, "chat", Offset(9));
        let record = Record::Forgotten("chat".to_owned(), Offset(9));
        assert_eq!(decode(5, &bytes, false), Some((record, bytes.len(), sum)));
    }
}
