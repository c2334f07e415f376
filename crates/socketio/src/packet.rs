//! Packets of Socket.IO 5 as they arrive: decoded borrowed, in one pass over the head; the arguments stay JSON.
//!
//! ```text
//! <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]        for instance 51-/chat,12["file",{..}]
//! ```
//!
//! How packets are written is in [`encode`](crate::encode).

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;

use crate::{args, binary, error::DecodeError, parser::Incoming};

/// The types of a packet; the number is the digit on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// `0`: joins a namespace, or tells that it was joined.
    Connect,
    /// `1`: leaves a namespace.
    Disconnect,
    /// `2`: an event.
    Event,
    /// `3`: the answer to an event.
    Ack,
    /// `4`: the namespace could not be joined.
    ConnectError,
    /// `5`: an event whose attachments follow.
    BinaryEvent,
    /// `6`: an answer whose attachments follow.
    BinaryAck,
}

/// The bounds of what a peer may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The attachments of one packet. Default: 10, as the reference.
    pub max_attachments: usize,
    /// The bytes of a packet whose attachments have not all arrived. Default: 4 MiB.
    pub max_pending_attachment_bytes: usize,
    /// How long the attachments of a packet may take to arrive; checked when the next one does. Default: 10 s.
    pub attachment_timeout: Duration,
    /// The bytes of an event's name. Default: 255.
    pub max_event_name: usize,
    /// The bytes of a namespace's name. Default: 255.
    pub max_name_len: usize,
    /// The bytes of the auth payload of a CONNECT. Default: 16 KiB.
    pub max_auth_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_pending_attachment_bytes: 4 * 1024 * 1024,
            attachment_timeout: Duration::from_secs(10),
            max_event_name: 255,
            max_name_len: 255,
            max_auth_bytes: 16 * 1024,
        }
    }
}

impl Limits {
    /// The bounds for packets of clients 2, of which [`Packet::split_query`] is to be asked: the query behind the
    /// namespace is what the auth payload is to others.
    pub fn with_query(&self) -> Self {
        let max_name_len = self.max_name_len.saturating_add(self.max_auth_bytes);
        Self {
            // The question mark.
            max_name_len: max_name_len.saturating_add(1),
            ..self.clone()
        }
    }
}

/// A packet, borrowed from the text it arrived in.
///
/// ```
/// use socketio::packet::{Limits, Packet, PacketType};
///
/// let packet = Packet::decode(r#"2/chat,12["message","hi"]"#, &Limits::default())?;
/// assert_eq!(packet.packet_type, PacketType::Event);
/// assert_eq!(packet.namespace, "/chat");
/// assert_eq!(packet.id, Some(12));
/// assert_eq!(packet.event.as_deref(), Some("message"));
/// # Ok::<(), socketio::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What the packet does.
    pub packet_type: PacketType,
    /// How many binary messages follow this text and belong to it.
    pub attachments: usize,
    /// The namespace, `/` if the packet names none.
    pub namespace: &'a str,
    /// The number that joins an event and its answer.
    pub id: Option<u64>,
    /// The name of an event; a number becomes its decimal digits. An event without data has none and means nothing.
    pub event: Option<Cow<'a, str>>,
    /// The JSON, empty if there is none. That of an event begins with its name.
    pub data: &'a str,
}

impl<'a> Packet<'a> {
    /// Decodes a text message.
    ///
    /// Everything is checked but the syntax of the arguments of events and answers, which are only looked at as far
    /// as the event's name: whoever parses them finds out, and [`ArgsRef::validate`](args::ArgsRef::validate) tells without parsing.
    pub fn decode(text: &'a str, limits: &Limits) -> Result<Self, DecodeError> {
        let (packet_type, rest) = split_type(text)?;
        let (attachments, rest) = match packet_type {
            PacketType::BinaryEvent | PacketType::BinaryAck => {
                split_attachments(rest, limits.max_attachments)?
            }
            _ => (0, rest),
        };
        let (namespace, rest) = split_namespace(rest);
        if namespace.len() > limits.max_name_len {
            return Err(DecodeError::NamespaceTooLong);
        }
        let (id, data) = split_id(rest)?;
        if !is_shallow(data) {
            return Err(DecodeError::TooDeep);
        }
        let event = check_data(packet_type, data, limits)?;
        Ok(Self {
            packet_type,
            attachments,
            namespace,
            id,
            event,
            data,
        })
    }

    /// Takes the query off the namespace, as the clients 2 have one: `0/chat?token=a,` joins `/chat`. The packet was
    /// decoded within [`Limits::with_query`] of these limits. `None` if there is no query.
    ///
    /// # Errors
    ///
    /// If the name or the query is above its own limit.
    pub fn split_query(&mut self, limits: &Limits) -> Result<Option<&'a str>, DecodeError> {
        let (name, query) = match self.namespace.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (self.namespace, None),
        };
        if name.len() > limits.max_name_len {
            return Err(DecodeError::NamespaceTooLong);
        }
        if query.is_some_and(|query| query.len() > limits.max_auth_bytes) {
            return Err(DecodeError::AuthTooLarge);
        }
        self.namespace = name;
        Ok(query)
    }

    /// Checks a packet that a [parser](crate::parser) has read, in all that [`decode`](Self::decode) and the
    /// [`assembler`](crate::assembler) check, whatever the parser has looked at before.
    ///
    /// # Errors
    ///
    /// Those that they give.
    pub fn check(incoming: &'a Incoming, limits: &Limits) -> Result<Self, DecodeError> {
        let Incoming {
            packet_type,
            namespace,
            id,
            data,
            attachments,
        } = incoming;
        if !namespace.starts_with('/') {
            return Err(DecodeError::InvalidNamespace);
        }
        if namespace.len() > limits.max_name_len {
            return Err(DecodeError::NamespaceTooLong);
        }
        if id.is_some_and(|id| id > MAX_SAFE_INTEGER) {
            return Err(DecodeError::AckIdOutOfRange);
        }
        if !is_shallow(data) {
            return Err(DecodeError::TooDeep);
        }
        let event = check_data(*packet_type, data, limits)?;
        if !attachments.is_empty() {
            check_attachments(*packet_type, attachments, limits)?;
            binary::check_placeholders(data, attachments.len())?;
        }
        Ok(Self {
            packet_type: *packet_type,
            attachments: attachments.len(),
            namespace,
            id: *id,
            event,
            data,
        })
    }
}

impl From<PacketType> for u8 {
    fn from(packet_type: PacketType) -> Self {
        packet_type as Self
    }
}

impl TryFrom<u8> for PacketType {
    type Error = DecodeError;

    fn try_from(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Connect),
            1 => Ok(Self::Disconnect),
            2 => Ok(Self::Event),
            3 => Ok(Self::Ack),
            4 => Ok(Self::ConnectError),
            5 => Ok(Self::BinaryEvent),
            6 => Ok(Self::BinaryAck),
            _ => Err(DecodeError::UnknownType),
        }
    }
}

/// Whether a name has a meaning of its own and may not be an event.
pub fn is_reserved(event: &str) -> bool {
    RESERVED_EVENTS.contains(&event)
}

fn split_type(text: &str) -> Result<(PacketType, &str), DecodeError> {
    let first = text.as_bytes().first();
    let number = first.and_then(|digit| digit.checked_sub(b'0'));
    let packet_type = number.ok_or(DecodeError::UnknownType)?.try_into()?;
    Ok((packet_type, &text[1..]))
}

fn split_attachments(text: &str, max: usize) -> Result<(usize, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    let rest = rest
        .strip_prefix('-')
        .ok_or(DecodeError::InvalidAttachments)?;
    if digits.is_empty() {
        return Err(DecodeError::InvalidAttachments);
    }
    // A number that does not fit is too many in any case.
    match digits.parse() {
        Ok(count) if count <= max => Ok((count, rest)),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

/// A namespace ends at the comma, or with the packet.
fn split_namespace(text: &str) -> (&str, &str) {
    if !text.starts_with('/') {
        return ("/", text);
    }
    text.split_once(',').unwrap_or((text, ""))
}

fn split_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, text));
    }
    if digits.len() > MAX_SAFE_DIGITS {
        return Err(DecodeError::AckIdOutOfRange);
    }
    let id = number(digits);
    if id > MAX_SAFE_INTEGER {
        return Err(DecodeError::AckIdOutOfRange);
    }
    Ok((Some(id), rest))
}

/// The decimal digits that a text begins with, and the rest.
pub(crate) fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// What digits say, of which there are at most [`MAX_SAFE_DIGITS`].
fn number(digits: &str) -> u64 {
    let add = |number, digit: u8| 10 * number + u64::from(digit - b'0');
    digits.bytes().fold(0, add)
}

/// Checks the data against the packet's type, and finds the event's name.
fn check_data<'a>(
    packet_type: PacketType,
    data: &'a str,
    limits: &Limits,
) -> Result<Option<Cow<'a, str>>, DecodeError> {
    let valid = match packet_type {
        PacketType::Event | PacketType::BinaryEvent if data.is_empty() => true,
        PacketType::Event | PacketType::BinaryEvent => return event_name(data, limits).map(Some),
        PacketType::Ack | PacketType::BinaryAck => data.is_empty() || data.starts_with('['),
        PacketType::Disconnect => data.is_empty(),
        PacketType::Connect if data.len() > limits.max_auth_bytes => {
            return Err(DecodeError::AuthTooLarge);
        }
        PacketType::Connect => data.is_empty() || data.starts_with('{') && args::is_json(data),
        PacketType::ConnectError => {
            data.is_empty() || data.starts_with(['{', '"']) && args::is_json(data)
        }
    };
    if valid {
        Ok(None)
    } else {
        Err(DecodeError::InvalidPayload)
    }
}

fn check_attachments(
    packet_type: PacketType,
    attachments: &[Bytes],
    limits: &Limits,
) -> Result<(), DecodeError> {
    use PacketType::{Ack, BinaryAck, BinaryEvent, Event};
    if !matches!(packet_type, Event | Ack | BinaryEvent | BinaryAck) {
        return Err(DecodeError::InvalidPayload);
    }
    if attachments.len() > limits.max_attachments {
        return Err(DecodeError::TooManyAttachments);
    }
    let bytes: usize = attachments.iter().map(Bytes::len).sum();
    if bytes > limits.max_pending_attachment_bytes {
        return Err(DecodeError::AttachmentsTooLarge);
    }
    Ok(())
}

/// The first item of an event, which must be a string or an integer and not reserved.
fn event_name<'a>(data: &'a str, limits: &Limits) -> Result<Cow<'a, str>, DecodeError> {
    let list = data.strip_prefix('[').ok_or(DecodeError::InvalidPayload)?;
    let list = trim_start(list);
    let (name, rest) = match list.as_bytes().first() {
        Some(b'"') => string_name(list)?,
        Some(b'-' | b'0'..=b'9') => integer_name(list)?,
        _ => return Err(DecodeError::InvalidEventName),
    };
    if !matches!(trim_start(rest).as_bytes().first(), Some(b',' | b']')) {
        return Err(DecodeError::InvalidPayload);
    }
    if name.len() > limits.max_event_name {
        return Err(DecodeError::EventNameTooLong);
    }
    if is_reserved(&name) {
        return Err(DecodeError::ReservedEvent);
    }
    Ok(name)
}

/// The JSON without the blanks before it.
fn trim_start(json: &str) -> &str {
    // Byte by byte, since all that matters is ASCII.
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let start = json.bytes().position(|byte| !is_blank(byte));
    &json[start.unwrap_or(json.len())..]
}

fn string_name(list: &str) -> Result<(Cow<'_, str>, &str), DecodeError> {
    let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0x00..0x20);
    let name = &list[1..];
    match name.bytes().position(is_special) {
        Some(at) if name.as_bytes()[at] == b'"' => {
            Ok((Cow::Borrowed(&name[..at]), &name[at + 1..]))
        }
        Some(at) if name.as_bytes()[at] == b'\\' => escaped_name(list),
        _ => Err(DecodeError::InvalidPayload),
    }
}

fn escaped_name(list: &str) -> Result<(Cow<'_, str>, &str), DecodeError> {
    let (name, rest) = list.split_at(binary::string_end(list));
    let name = serde_json::from_str(name).map_err(|_| DecodeError::InvalidPayload)?;
    Ok((Cow::Owned(name), rest))
}

/// JavaScript would also take `1.5` or `1e3` for a name; integers in plain digits are what the protocol speaks of.
fn integer_name(list: &str) -> Result<(Cow<'_, str>, &str), DecodeError> {
    let (digits, rest) = split_digits(list.strip_prefix('-').unwrap_or(list));
    let name = &list[..list.len() - rest.len()];
    match digits.parse::<u64>() {
        _ if digits.len() > 1 && digits.starts_with('0') => Err(DecodeError::InvalidPayload),
        Ok(0) => Ok((Cow::Borrowed("0"), rest)),
        Ok(number) if number <= MAX_SAFE_INTEGER => Ok((Cow::Borrowed(name), rest)),
        _ => Err(DecodeError::InvalidEventName),
    }
}

/// Whether the JSON is nested at most [`MAX_DEPTH`] levels deep.
fn is_shallow(json: &str) -> bool {
    // Hardly any packet has so many brackets, and counting them costs next to nothing.
    json.len() <= MAX_DEPTH || count_openers(json) <= MAX_DEPTH || depth(json) <= MAX_DEPTH
}

/// How many `[` and `{` there are.
fn count_openers(json: &str) -> usize {
    // The two differ in one bit alone. As long as the count fits a byte, sixteen are looked at at once.
    let is_opener = |byte: &u8| u8::from(byte | 0x20 == b'{');
    let chunks = json.as_bytes().chunks(240);
    chunks
        .map(|chunk| usize::from(chunk.iter().map(is_opener).sum::<u8>()))
        .sum()
}

/// How deep JSON is nested. Text that is not JSON gets some answer.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// These names must not be events: each has a meaning for the emitter of a client or of a server.
const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The levels that serde_json parses.
pub(crate) const MAX_DEPTH: usize = 127;

/// JavaScript counts without gaps up to here.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
const MAX_SAFE_DIGITS: usize = 16;

#[cfg(test)]
mod tests;
