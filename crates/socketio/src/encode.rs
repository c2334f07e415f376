//! Packets as they leave: encoded once, into the exact bytes of the wire, Engine.IO's prefix included.
//!
//! A [`Draft`] is the JSON of an event or an answer, still open at its end and without its head. From it [`Frames`] are
//! made, one for all recipients; after that only reference counts move.

mod frames;
mod head;
mod json;
mod namespace;

use std::cell::Cell;

use bytes::Bytes;
use engineio::Frame;
use serde::Serialize;

use self::head::Head;
use crate::{
    args::Args,
    binary,
    error::EncodeError,
    packet::{self, PacketType},
    parser::{Outgoing, Parser},
    recovery::Offset,
};

pub use self::{
    frames::{EventPacket, Frames, OwnFrames},
    namespace::{connect, connect_2, connect_error, connect_error_2, connect_with_pid, disconnect},
};

/// An event or an answer, serialized, but for its head (namespace, ack id) and its closing bracket.
///
/// ```
/// use socketio::encode::Draft;
///
/// let draft = Draft::event("hello", &("world", 1))?;
/// let frames = draft.frames("/chat", Some(7));
/// assert_eq!(frames.as_slice(), [engineio::Frame::Text(r#"42/chat,7["hello","world",1]"#.into())]);
/// # Ok::<(), socketio::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Draft {
    is_event: bool,
    body: Scratch,
    /// Where the arguments of an event begin, with their comma.
    args_at: usize,
    attachments: Vec<Bytes>,
    compress: bool,
}

impl Draft {
    /// Serializes an event. A sequence of arguments is spread, `()` is no argument, anything else is one.
    pub fn event<A: Serialize>(event: &str, args: &A) -> Result<Self, EncodeError> {
        if packet::is_reserved(event) {
            return Err(EncodeError::ReservedEvent(event.to_owned()));
        }
        let mut body = Scratch::take();
        body.0.push(b'[');
        to_json(&mut body.0, event)?;
        let args_at = body.0.len();
        let attachments = append_args(&mut body.0, args, b',')?;
        Ok(Self {
            is_event: true,
            body,
            args_at,
            attachments,
            compress: true,
        })
    }

    /// Serializes an answer.
    pub fn ack<A: Serialize>(args: &A) -> Result<Self, EncodeError> {
        let mut body = Scratch::take();
        let attachments = append_args(&mut body.0, args, b'[')?;
        if body.0.is_empty() {
            body.0.push(b'[');
        }
        Ok(Self {
            is_event: false,
            body,
            args_at: 0,
            attachments,
            compress: true,
        })
    }

    /// Says whether it is worth compressing the packet on its way to a client, which is so by itself.
    #[must_use]
    pub fn compress(self, compress: bool) -> Self {
        Self { compress, ..self }
    }

    /// Whether it is worth compressing the packet.
    pub fn is_compressed(&self) -> bool {
        self.compress
    }

    /// The event's name and arguments as the client will see them; none of an answer.
    pub fn to_event(&self) -> Option<(String, Args)> {
        if !self.is_event {
            return None;
        }
        let name = serde_json::from_slice(&self.body.0[1..self.args_at]).ok()?;
        Some((name, self.to_args()))
    }

    /// The arguments alone, of an event or an answer.
    pub fn to_args(&self) -> Args {
        let args = &self.body.0[self.args_at..];
        // The lead of the first argument, or of an answer without any.
        let items = args.get(1..).unwrap_or_default();
        let json = [b"[", items, b"]"].concat().into();
        Args::from_parts(json, self.attachments.clone())
    }

    /// Whether the last item of the event, which is its name if there is no argument, is a string: clients that want to
    /// be recovered take that for an [offset](crate::recovery::Offset).
    pub fn ends_in_string(&self) -> bool {
        self.body.0.ends_with(b"\"")
    }

    /// The packet for a namespace, with an ack id if the event asks for an answer or this is one.
    pub fn frames(&self, namespace: &str, id: Option<u64>) -> Frames {
        self.write(None, namespace, id)
    }

    /// The same, written by this parser or by the default one.
    pub fn write(&self, parser: Option<&dyn Parser>, namespace: &str, id: Option<u64>) -> Frames {
        self.write_ended(parser, namespace, id, b"]")
    }

    /// The packet for one client alone, written as [`write`](Self::write) does.
    pub fn write_own(
        &self,
        parser: Option<&dyn Parser>,
        namespace: &str,
        id: Option<u64>,
    ) -> OwnFrames {
        if parser.is_some() {
            return OwnFrames::Shared(self.write(parser, namespace, id));
        }
        let (data, attachments) = ([&self.body.0, &b"]"[..]], &self.attachments);
        let text = default_text(self.packet_type(), namespace, id, data, attachments.len());
        if attachments.is_empty() {
            return OwnFrames::One(text);
        }
        let attachments = attachments.iter().cloned().map(Frame::Binary);
        OwnFrames::Several(std::iter::once(text).chain(attachments).collect())
    }

    fn packet_type(&self) -> PacketType {
        if self.is_event {
            PacketType::Event
        } else {
            PacketType::Ack
        }
    }

    /// The packet of an event, with an offset as one more argument at its end.
    pub fn write_with_offset(
        &self,
        parser: Option<&dyn Parser>,
        namespace: &str,
        offset: Offset,
    ) -> Frames {
        // Offsets are made of letters that JSON does not escape.
        let end = format!(r#","{offset}"]"#);
        self.write_ended(parser, namespace, None, end.as_bytes())
    }

    fn write_ended(
        &self,
        parser: Option<&dyn Parser>,
        namespace: &str,
        id: Option<u64>,
        end: &[u8],
    ) -> Frames {
        let packet_type = self.packet_type();
        let data = [&self.body.0, end];
        let Some(parser) = parser else {
            return default_frames(packet_type, namespace, id, data, &self.attachments);
        };
        let data = String::from_utf8(data.concat()).expect("JSON is written as UTF-8");
        parser.encode(&Outgoing {
            packet_type,
            namespace,
            id,
            data: &data,
            attachments: &self.attachments,
        })
    }
}

/// Writes a packet as the default parser does. The data comes in two pieces, so that a draft need not be closed first.
pub(crate) fn default_frames(
    packet_type: PacketType,
    namespace: &str,
    id: Option<u64>,
    data: [&[u8]; 2],
    attachments: &[Bytes],
) -> Frames {
    let text = default_text(packet_type, namespace, id, data, attachments.len());
    if attachments.is_empty() {
        return text.into();
    }
    let attachments = attachments.iter().cloned().map(Frame::Binary);
    std::iter::once(text).chain(attachments).collect()
}

/// The text of a packet, whose attachments follow.
fn default_text(
    packet_type: PacketType,
    namespace: &str,
    id: Option<u64>,
    data: [&[u8]; 2],
    attachments: usize,
) -> Frame {
    use PacketType::{Ack, BinaryAck, BinaryEvent, Event};
    let mut head = Head::default();
    if let Some(id) = id {
        head.put_number(id);
    }
    let id_len = head.len();
    match (packet_type, attachments) {
        (Event | BinaryEvent, 0) => head.put(*b"42"),
        (Ack | BinaryAck, 0) => head.put(*b"43"),
        (Event | BinaryEvent | Ack | BinaryAck, count) => {
            head.put(*b"-");
            head.put_number(count as u64);
            let is_event = matches!(packet_type, Event | BinaryEvent);
            head.put(if is_event { *b"45" } else { *b"46" });
        }
        (packet_type, _) => head.put([b'4', b'0' + u8::from(packet_type)]),
    }
    // The main namespace is not named.
    let text = if namespace == "/" {
        [head.as_bytes(), data[0], data[1]].concat()
    } else {
        let (head, id) = head.as_bytes().split_at(head.len() - id_len);
        [head, namespace.as_bytes(), b",", id, data[0], data[1]].concat()
    };
    Frame::Text(Bytes::from(text))
}

/// Serializes arguments behind what `body` holds, without a closing bracket.
///
/// `lead` goes before the first of them. A list brings its own bracket, which only has to become `lead`.
fn append_args<A: Serialize>(
    body: &mut Vec<u8>,
    args: &A,
    lead: u8,
) -> Result<Vec<Bytes>, EncodeError> {
    let start = body.len();
    let (result, outgoing) = binary::collect(|| to_json(body, args));
    result?;
    let written = &body[start..];
    if let Some(captured) = outgoing.args {
        if written != b"null" {
            return Err(EncodeError::NestedArgs);
        }
        body.truncate(start);
        if !captured.items().is_empty() {
            body.push(lead);
            body.extend_from_slice(captured.items().as_bytes());
        }
        return Ok(captured.attachments().to_vec());
    }
    match written {
        // `None` is written like `()`, but it is an argument.
        b"null" if size_of::<A>() == 0 => body.truncate(start),
        b"[]" => body.truncate(start),
        [b'[', ..] => {
            body.pop();
            body[start] = lead;
        }
        _ => body.insert(start, lead),
    }
    Ok(outgoing.attachments)
}

fn to_json(body: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), EncodeError> {
    json::write(body, value).map_err(|error| EncodeError::Serialize(error.to_string()))
}

/// A buffer that the thread lends: what is serialized is copied once, into an allocation of exactly its size.
#[derive(Debug)]
struct Scratch(Vec<u8>);

impl Scratch {
    fn take() -> Self {
        // A Serialize implementation that emits finds the place empty and makes a new one.
        Self(SCRATCH.take())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.capacity() <= MAX_SCRATCH {
            self.0.clear();
            // The thread may be ending, and then there is nothing to give back to.
            let _ = SCRATCH.try_with(|scratch| scratch.set(std::mem::take(&mut self.0)));
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A larger buffer is not kept.
const MAX_SCRATCH: usize = 64 * 1024;

#[cfg(test)]
mod tests;
