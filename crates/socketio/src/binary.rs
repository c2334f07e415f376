//! `Binary`: bytes at any depth of a user's type, without a serializer of our own.
//!
//! On the wire a packet's binary values travel as attachments behind its text, and a placeholder
//! `{"_placeholder":true,"num":0}` stands where each belongs. While a packet is written, [`Binary`] puts its bytes on a
//! list of the running thread and serializes itself as the placeholder; while one is read, it looks its number up.

use std::{cell::RefCell, fmt, ops::Deref};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, value::MapAccessDeserializer},
};

use crate::{
    args::{self, Args},
    error::DecodeError,
    packet::split_digits,
};

/// Bytes that are sent and received as binary data, anywhere in the arguments of an event or an answer.
///
/// Cheap to clone. Serialized elsewhere than into a packet, it is a list of numbers.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use socketio::Binary;
///
/// #[derive(Serialize, Deserialize)]
/// struct Upload {
///     name: String,
///     chunks: Vec<Binary>,
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Binary(pub Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let num = OUTGOING.with_borrow_mut(|outgoing| {
            if !outgoing.is_collecting {
                return None;
            }
            let attachments = &mut outgoing.attachments;
            attachments.push(self.0.clone());
            Some(attachments.len() - 1)
        });
        match num {
            Some(num) => Placeholder {
                _placeholder: true,
                num,
            }
            .serialize(serializer),
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, BinaryVisitor)
    }
}

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.0.len())
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// What was put aside while arguments were serialized.
#[derive(Default)]
pub(crate) struct Outgoing {
    is_collecting: bool,
    pub(crate) attachments: Vec<Bytes>,
    /// Captured arguments, which are to be written as they are.
    pub(crate) args: Option<Box<Args>>,
}

/// Runs a serialization and gives what it has put aside. Serialize implementations may themselves emit, so the list
/// of an outer call comes back when the inner one is done, even if it panics.
pub(crate) fn collect<R>(serialize: impl FnOnce() -> R) -> (R, Outgoing) {
    struct Outer(Outgoing);
    impl Drop for Outer {
        fn drop(&mut self) {
            OUTGOING.set(std::mem::take(&mut self.0));
        }
    }
    let mut outer = Outer(OUTGOING.replace(Outgoing {
        is_collecting: true,
        ..Outgoing::default()
    }));
    let result = serialize();
    let outgoing = OUTGOING.replace(std::mem::take(&mut outer.0));
    std::mem::forget(outer);
    (result, outgoing)
}

/// Takes captured arguments from a running serialization; false if there is none.
pub(crate) fn collect_args(args: &Args) -> bool {
    OUTGOING.with_borrow_mut(|outgoing| {
        if outgoing.is_collecting {
            outgoing.args = Some(Box::new(args.clone()));
        }
        outgoing.is_collecting
    })
}

/// Runs a deserialization that finds these attachments.
pub(crate) fn provide<R>(attachments: &[Bytes], deserialize: impl FnOnce() -> R) -> R {
    struct Outer(Incoming);
    impl Drop for Outer {
        fn drop(&mut self) {
            INCOMING.set(std::mem::take(&mut self.0));
        }
    }
    if attachments.is_empty() && INCOMING.with_borrow(|outer| outer.as_slice().is_empty()) {
        return deserialize();
    }
    let _outer = Outer(INCOMING.replace(attachments.into()));
    deserialize()
}

/// The attachments of the packet that is being read.
pub(crate) fn provided() -> Vec<Bytes> {
    INCOMING.with_borrow(|incoming| incoming.as_slice().to_vec())
}

/// The attachments of a packet that has come. Hardly ever is there more than one, and that one needs no list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    One(Bytes),
    Several(Vec<Bytes>),
}

impl Incoming {
    pub(crate) fn push(&mut self, attachment: Bytes) {
        match self {
            Self::Several(list) if list.is_empty() => *self = Self::One(attachment),
            Self::Several(list) => list.push(attachment),
            Self::One(first) => *self = Self::Several(vec![std::mem::take(first), attachment]),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Bytes] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(list) => list,
        }
    }
}

impl From<&[Bytes]> for Incoming {
    fn from(attachments: &[Bytes]) -> Self {
        match attachments {
            [only] => Self::One(only.clone()),
            list => Self::Several(list.to_vec()),
        }
    }
}

impl Default for Incoming {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// Checks that the JSON of a packet is valid, and that each of its placeholders names an attachment.
///
/// This is done when the packet arrives, whatever type its handler takes. As the reference, an object is a
/// placeholder if its `_placeholder` is exactly `true`; of repeated keys the last one counts.
pub fn check_placeholders(json: &str, attachments: usize) -> Result<(), DecodeError> {
    if json.is_empty() {
        return Ok(());
    }
    if !args::is_json(json) {
        return Err(DecodeError::InvalidPayload);
    }
    // What follows relies on the JSON being valid.
    match plain_placeholders(json, attachments) {
        Some(true) => Ok(()),
        Some(false) => Err(DecodeError::InvalidPlaceholder),
        None => check_tokens(json, attachments),
    }
}

/// Whether each placeholder names an attachment, if all of them are written as every client does and nothing is escaped.
///
/// Without escapes a quote is always one end of a string, so that what has the letters of a placeholder is one: if its
/// brace were part of a string, the quote behind that would end the string, and no JSON goes on with a name.
fn plain_placeholders(json: &str, attachments: usize) -> Option<bool> {
    if json
        .bytes()
        .fold(false, |found, byte| found | (byte == b'\\'))
    {
        return None;
    }
    let mut are_known = true;
    for (at, _) in json.match_indices('_') {
        let (before, found) = json.split_at(at);
        let Some(after) = found.strip_prefix("_placeholder") else {
            continue;
        };
        let (num, rest) = split_digits(after.strip_prefix(r#"":true,"num":"#)?);
        if !before.ends_with(r#"{""#) || !rest.starts_with('}') {
            return None;
        }
        are_known &= num.parse().is_ok_and(|num: usize| num < attachments);
    }
    Some(are_known)
}

/// The same for any JSON, which must be valid.
fn check_tokens(json: &str, attachments: usize) -> Result<(), DecodeError> {
    let mut open: Vec<Container> = Vec::with_capacity(USUAL_DEPTH);
    for token in Tokens(json) {
        if let Some(closed) = Container::follow(&mut open, token, attachments)
            && closed.is_placeholder
            && closed.num.is_none()
        {
            return Err(DecodeError::InvalidPlaceholder);
        }
    }
    Ok(())
}

/// What is known of an object or array whose end has not been seen.
#[derive(Default)]
pub(crate) struct Container {
    is_object: bool,
    awaits_key: bool,
    key: Key,
    is_placeholder: bool,
    /// The attachment it would stand for.
    num: Option<usize>,
    /// How many items or keys it has.
    len: usize,
}

impl Container {
    /// Takes the next token of valid JSON into account, and gives the container that it closes, if it does.
    pub(crate) fn follow(open: &mut Vec<Self>, token: &str, attachments: usize) -> Option<Self> {
        match token {
            "}" | "]" => return open.pop(),
            "," => {
                if let Some(container) = open.last_mut() {
                    container.awaits_key = container.is_object;
                }
                return None;
            }
            _ => {}
        }
        if let Some(container) = open.last_mut() {
            container.note(token, attachments);
        }
        if matches!(token, "{" | "[") {
            let is_object = token == "{";
            open.push(Self {
                is_object,
                awaits_key: is_object,
                ..Self::default()
            });
        }
        None
    }

    /// How many items or keys there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The attachment that the object stands for, if it does.
    pub(crate) fn attachment(&self) -> Option<usize> {
        self.num.filter(|_| self.is_placeholder)
    }

    /// A key or a value.
    fn note(&mut self, token: &str, attachments: usize) {
        if self.awaits_key {
            self.key = Key::of(token);
            self.awaits_key = false;
            self.len += 1;
            return;
        }
        if !self.is_object {
            self.len += 1;
        }
        match self.key {
            Key::Placeholder => self.is_placeholder = token == "true",
            Key::Num => self.num = token.parse().ok().filter(|num| *num < attachments),
            Key::Other => {}
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Key {
    #[default]
    Other,
    Placeholder,
    Num,
}

impl Key {
    fn of(token: &str) -> Self {
        match token {
            r#""_placeholder""# => Self::Placeholder,
            r#""num""# => Self::Num,
            _ if token.contains('\\') => match serde_json::from_str::<String>(token).as_deref() {
                Ok("_placeholder") => Self::Placeholder,
                Ok("num") => Self::Num,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The brackets, commas, strings, numbers and words of valid JSON.
pub(crate) struct Tokens<'a>(pub(crate) &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        // Byte by byte, since all that matters is ASCII.
        let bytes = self.0.as_bytes();
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b':');
        let start = bytes.iter().position(|byte| !is_between(byte))?;
        let text = &self.0[start..];
        let end = match bytes[start] {
            b'{' | b'}' | b'[' | b']' | b',' => 1,
            b'"' => string_end(text),
            _ => {
                let is_end =
                    |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}');
                bytes[start..].iter().position(is_end).unwrap_or(text.len())
            }
        };
        let (token, after) = text.split_at(end);
        self.0 = after;
        Some(token)
    }
}

/// Where the string ends that the text begins with.
pub(crate) fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    text.len()
}

#[derive(Serialize, Deserialize)]
struct Placeholder {
    _placeholder: bool,
    num: usize,
}

struct BinaryVisitor;

impl<'de> de::Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Binary, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Binary, A::Error> {
        let found = Placeholder::deserialize(MapAccessDeserializer::new(map))?;
        let attachment =
            INCOMING.with_borrow(|incoming| incoming.as_slice().get(found.num).cloned());
        match attachment {
            Some(bytes) if found._placeholder => Ok(Binary(bytes)),
            _ => Err(de::Error::custom("placeholder without attachment")),
        }
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes.into()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }
}

thread_local! {
    /// What the running serialization has put aside, if a packet is being written.
    static OUTGOING: RefCell<Outgoing> = const {
        RefCell::new(Outgoing {
            is_collecting: false,
            attachments: Vec::new(),
            args: None,
        })
    };
    /// The attachments of the packet that is being read.
    static INCOMING: RefCell<Incoming> = const { RefCell::new(Incoming::Several(Vec::new())) };
}

/// An event's list, an object in it, and a placeholder in that; deeper ones make room as they come.
const USUAL_DEPTH: usize = 3;

/// Tells the deserializer of arguments that binary data is a single argument.
pub(crate) const TOKEN: &str = "$socketio::Binary";

#[cfg(test)]
mod tests;
