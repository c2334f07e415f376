//! `Assembler`: a packet's text and its attachments, which arrive as messages of their own, become one packet.

use std::{borrow::Cow, ops::Range, time::Instant};

use bytes::Bytes;

use crate::{
    binary::{self, Incoming},
    error::DecodeError,
    packet::{Limits, Packet, PacketType},
};

/// Holds the packet whose attachments have not all arrived; there is at most one per session.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Boxed, since most sessions never send binary data.
    pending: Option<Box<Pending>>,
}

/// A packet with all its attachments.
#[derive(Debug, PartialEq, Eq)]
pub struct Assembled(Box<Pending>);

impl Assembled {
    /// The packet, as it was decoded when its text arrived.
    pub fn packet(&self) -> Packet<'_> {
        let Pending { text, head, .. } = &*self.0;
        Packet {
            packet_type: head.packet_type,
            attachments: head.attachments,
            namespace: head.namespace.get(text),
            id: head.id,
            event: head.event.as_ref().map(|event| event.get(text).into()),
            data: head.data.get(text),
        }
    }

    /// The attachments, in order.
    pub fn attachments(&self) -> &[Bytes] {
        self.0.attachments.as_slice()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Pending {
    text: Box<str>,
    head: Head,
    attachments: Incoming,
    missing: usize,
    bytes: usize,
    /// None if no clock counts to it.
    deadline: Option<Instant>,
}

/// A [`Packet`] that knows where its parts stand, but not in which copy of the text.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    packet_type: PacketType,
    attachments: usize,
    namespace: Part,
    id: Option<u64>,
    event: Option<Part>,
    data: Part,
}

impl Head {
    fn of(text: &str, packet: &Packet<'_>) -> Self {
        let event = packet.event.as_deref();
        Self {
            packet_type: packet.packet_type,
            attachments: packet.attachments,
            namespace: Part::of(text, packet.namespace),
            id: packet.id,
            event: event.map(|event| Part::of(text, event)),
            data: Part::of(text, packet.data),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    At(Range<usize>),
    /// What the text does not say in these very letters: the main namespace, or a name with escapes.
    Other(Cow<'static, str>),
}

impl Part {
    fn of(text: &str, part: &str) -> Self {
        let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr());
        let place = start.and_then(|start| Some(start..start.checked_add(part.len())?));
        match place {
            Some(place) if text.get(place.clone()).is_some() => Self::At(place),
            _ if part == "/" => Self::Other(Cow::Borrowed("/")),
            _ => Self::Other(Cow::Owned(part.to_owned())),
        }
    }

    fn get<'a>(&'a self, text: &'a str) -> &'a str {
        match self {
            Self::At(place) => &text[place.clone()],
            Self::Other(part) => part,
        }
    }
}

impl Assembler {
    /// Whether attachments are missing, so that no text may come.
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Keeps a binary packet, which was decoded from `text`, until its attachments have arrived. One that announces
    /// none is complete.
    pub fn begin(
        &mut self,
        text: &str,
        packet: &Packet<'_>,
        now: Instant,
        limits: &Limits,
    ) -> Result<Option<Assembled>, DecodeError> {
        if self.is_waiting() {
            return Err(DecodeError::UnexpectedText);
        }
        binary::check_placeholders(packet.data, packet.attachments)?;
        let pending = Box::new(Pending {
            text: text.into(),
            head: Head::of(text, packet),
            attachments: Incoming::default(),
            missing: packet.attachments,
            bytes: 0,
            deadline: now.checked_add(limits.attachment_timeout),
        });
        if packet.attachments == 0 {
            return Ok(Some(Assembled(pending)));
        }
        self.pending = Some(pending);
        Ok(None)
    }

    /// Takes the next attachment, and gives the packet if it was the last one. The data is copied, since the packet
    /// may be kept for long.
    pub fn attach(
        &mut self,
        data: &[u8],
        now: Instant,
        limits: &Limits,
    ) -> Result<Option<Assembled>, DecodeError> {
        let pending = self.pending.as_mut().ok_or(DecodeError::UnexpectedBinary)?;
        if pending.deadline.is_some_and(|deadline| now > deadline) {
            return Err(DecodeError::AttachmentsTooLate);
        }
        pending.bytes = pending.bytes.saturating_add(data.len());
        if pending.bytes > limits.max_pending_attachment_bytes {
            return Err(DecodeError::AttachmentsTooLarge);
        }
        pending.attachments.push(Bytes::copy_from_slice(data));
        pending.missing = pending.missing.saturating_sub(1);
        if pending.missing > 0 {
            return Ok(None);
        }
        Ok(self.pending.take().map(Assembled))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn begin(
        assembler: &mut Assembler,
        text: &str,
        now: Instant,
    ) -> Result<Option<Assembled>, DecodeError> {
        let limits = Limits::default();
        let packet = Packet::decode(text, &limits)?;
        assembler.begin(text, &packet, now, &limits)
    }

    /// Some instant; the clock is only read to have one at all.
    fn start() -> Instant {
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no other way to make an instant"
        )]
        Instant::now()
    }

    const TWO: &str = r#"52-["up",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    #[test]
    fn the_last_attachment_completes_the_packet() {
        let (mut assembler, now, limits) = (Assembler::default(), start(), Limits::default());
        begin(&mut assembler, TWO, now).unwrap();
        assert!(assembler.is_waiting());
        assert_eq!(assembler.attach(b"one", now, &limits), Ok(None));
        let done = assembler.attach(b"", now, &limits).unwrap().unwrap();
        assert_eq!(
            done.packet(),
            Packet::decode(TWO, &Limits::default()).unwrap()
        );
        assert_eq!(done.attachments(), [Bytes::from("one"), Bytes::new()]);
        assert!(!assembler.is_waiting());
    }

    #[test]
    fn the_packet_is_the_one_that_was_decoded() {
        let (now, limits) = (start(), Limits::default());
        for text in [
            r#"51-["up",{"_placeholder":true,"num":0}]"#,
            r#"51-/chat,12["up",{"_placeholder":true,"num":0}]"#,
            r#"51-/,12[ "\u0075p\n",{"_placeholder":true,"num":0}]"#,
            r#"51-7[-0,{"_placeholder":true,"num":0}]"#,
            r#"51-/é,[17,"é",{"_placeholder":true,"num":0}]"#,
            r#"51-["",{"_placeholder":true,"num":0}]"#,
            r#"61-/chat,3[{"_placeholder":true,"num":0}]"#,
            "51-/chat,",
            "51-/chat",
            "61-1",
            "51-",
        ] {
            let packet = Packet::decode(text, &limits).unwrap();
            let mut assembler = Assembler::default();
            // The text is gone when the attachment comes.
            let gone = text.to_owned();
            begin(&mut assembler, &gone, now).unwrap();
            drop(gone);
            let done = assembler.attach(b"", now, &limits).unwrap().unwrap();
            assert_eq!(done.packet(), packet, "{text}");
        }
    }

    #[test]
    fn a_query_that_was_split_off_does_not_come_back() {
        let (now, limits) = (start(), Limits::default());
        let text = r#"51-/chat?a=b,["up",{"_placeholder":true,"num":0}]"#;
        let mut packet = Packet::decode(text, &limits).unwrap();
        assert_eq!(packet.split_query(&limits), Ok(Some("a=b")));
        let mut assembler = Assembler::default();
        assert_eq!(assembler.begin(text, &packet, now, &limits), Ok(None));
        let done = assembler.attach(b"", now, &limits).unwrap().unwrap();
        assert_eq!(done.packet().namespace, "/chat");
    }

    #[test]
    fn a_binary_packet_without_attachments_is_complete() {
        let mut assembler = Assembler::default();
        let done = begin(&mut assembler, r#"50-["up"]"#, start())
            .unwrap()
            .unwrap();
        assert_eq!(done.attachments(), [] as [Bytes; 0]);
        assert!(!assembler.is_waiting());
    }

    #[test]
    fn binary_data_without_a_packet_is_refused() {
        let mut assembler = Assembler::default();
        let result = assembler.attach(b"x", start(), &Limits::default());
        assert_eq!(result, Err(DecodeError::UnexpectedBinary));
    }

    #[test]
    fn a_second_packet_before_the_attachments_is_refused() {
        let mut assembler = Assembler::default();
        begin(&mut assembler, TWO, start()).unwrap();
        assert_eq!(
            begin(&mut assembler, TWO, start()),
            Err(DecodeError::UnexpectedText)
        );
    }

    #[test]
    fn placeholders_are_checked_before_any_attachment_is_kept() {
        let mut assembler = Assembler::default();
        let text = r#"51-["up",{"_placeholder":true,"num":1}]"#;
        assert_eq!(
            begin(&mut assembler, text, start()),
            Err(DecodeError::InvalidPlaceholder)
        );
        assert!(!assembler.is_waiting());
    }

    #[test]
    fn bytes_are_bounded_to_the_last_one() {
        let limits = Limits {
            max_pending_attachment_bytes: 5,
            ..Limits::default()
        };
        let now = start();
        for (sizes, expected) in [
            ([2, 3], true),
            ([2, 4], false),
            ([5, 0], true),
            ([5, 1], false),
        ] {
            let mut assembler = Assembler::default();
            begin(&mut assembler, TWO, now).unwrap();
            let results = sizes.map(|size| assembler.attach(&vec![0; size], now, &limits));
            assert_eq!(results[1].is_ok(), expected, "{sizes:?}");
        }
    }

    #[test]
    fn attachments_may_have_all_the_time_there_is() {
        let (now, limits) = (start(), Limits::default());
        let limits = Limits {
            attachment_timeout: Duration::MAX,
            ..limits
        };
        let mut assembler = Assembler::default();
        let packet = Packet::decode(TWO, &limits).unwrap();
        assert_eq!(assembler.begin(TWO, &packet, now, &limits), Ok(None));
        let late = now + Duration::from_secs(1_000_000);
        assert_eq!(assembler.attach(b"", late, &limits), Ok(None));
    }

    #[test]
    fn attachments_have_until_their_deadline() {
        let (now, limits) = (start(), Limits::default());
        let mut assembler = Assembler::default();
        begin(&mut assembler, TWO, now).unwrap();
        let due = now + Duration::from_secs(10);
        assert_eq!(assembler.attach(b"", due, &limits), Ok(None));
        let late = due + Duration::from_millis(1);
        assert_eq!(
            assembler.attach(b"", late, &limits),
            Err(DecodeError::AttachmentsTooLate)
        );
    }
}
