//! The arguments of an event or an answer: parsed straight from the wire's JSON into the type that wants them.
//!
//! JavaScript is lax about the number of arguments, and so is this: extra ones are ignored, absent ones are `None`.
//! serde_json alone would refuse both, hence a deserializer around it.
//!
//! | type | takes |
//! | --- | --- |
//! | `()` | nothing |
//! | `(A, B)`, a tuple struct | the first two arguments |
//! | `Vec<A>`, `serde_json::Value` | all arguments, as a list |
//! | [`Args`] | all arguments as they are, to be passed on or parsed later |
//! | `String`, a number, a struct, a map, [`Binary`](crate::Binary) | the first argument |

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, IgnoredAny},
    ser,
};

use crate::{
    binary,
    error::{ArgsError, DecodeError},
    packet::Packet,
};

mod deserializer;
pub(crate) mod surrogates;

use self::deserializer::ArgsDeserializer;

/// The arguments of a packet, where they stand.
#[derive(Debug, Clone, Copy)]
pub struct ArgsRef<'a> {
    json: &'a str,
    /// The first item is the event's name.
    has_name: bool,
    attachments: &'a [Bytes],
}

impl<'a> ArgsRef<'a> {
    /// The arguments of a packet. The attachments are those that came with it.
    pub fn of(packet: &Packet<'a>, attachments: &'a [Bytes]) -> Self {
        let json = if packet.data.is_empty() {
            "[]"
        } else {
            packet.data
        };
        Self {
            json,
            has_name: packet.event.is_some(),
            attachments,
        }
    }

    /// Parses the arguments. Only the elements that `T` wants are looked at closely.
    ///
    /// Half a surrogate pair, which only JavaScript takes for text, becomes the replacement character.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        let error = match self.parse_from(self.json) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // Some errors of serde_json's syntax category are only about one value, such as a number too large for its
        // type, so that the text itself must tell who is at fault.
        if !is_json(self.json) {
            return Err(ArgsError::Malformed);
        }
        let parsed = match surrogates::mend(self.json) {
            Cow::Owned(mended) => self.parse_from(&mended),
            Cow::Borrowed(_) => Err(error),
        };
        parsed.map_err(|error| ArgsError::Mismatch(error.to_string()))
    }

    /// Parses the arguments from a text that is theirs but for what had to be mended.
    fn parse_from<T: DeserializeOwned>(&self, text: &str) -> Result<T, serde_json::Error> {
        binary::provide(self.attachments, || {
            let mut json = serde_json::Deserializer::from_str(text);
            let args = ArgsDeserializer::new(text, &mut json, self.has_name);
            let value = T::deserialize(args)?;
            json.end()?;
            Ok(value)
        })
    }

    /// Checks that the arguments are JSON.
    pub fn validate(&self) -> Result<(), ArgsError> {
        if is_json(self.json) {
            Ok(())
        } else {
            Err(ArgsError::Malformed)
        }
    }

    /// Copies the arguments.
    pub fn capture(&self) -> Result<Args, ArgsError> {
        self.parse()
    }
}

/// All arguments of an event or an answer, as they came: for code that passes on what it does not know.
///
/// A handler may take them, and they may be emitted or acked again, binary data included.
///
/// ```
/// use socketio::{Args, args::ArgsRef, packet::{Limits, Packet}};
///
/// let packet = Packet::decode(r#"2["move",3,{"y":4}]"#, &Limits::default())?;
/// let args: Args = ArgsRef::of(&packet, &[]).parse()?;
/// assert_eq!(args.json(), r#"[3,{"y":4}]"#);
/// assert_eq!(args.parse::<(u8,)>()?, (3,));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Args {
    /// A JSON array.
    json: Bytes,
    attachments: Vec<Bytes>,
}

impl Args {
    /// The arguments that a JSON array says, with a placeholder for each attachment: what [`json`](Self::json) and
    /// [`attachments`](Self::attachments) have told elsewhere.
    ///
    /// # Errors
    ///
    /// If the text is no JSON array, or a placeholder names no attachment.
    pub fn from_json(json: &str, attachments: Vec<Bytes>) -> Result<Self, DecodeError> {
        binary::check_placeholders(json, attachments.len())?;
        if !json.trim_start().starts_with('[') {
            return Err(DecodeError::InvalidPayload);
        }
        let json = Bytes::copy_from_slice(json.as_bytes());
        Ok(Self { json, attachments })
    }

    /// Parses the arguments; see the [module](self) for what each type takes.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        self.borrow().parse()
    }

    /// The JSON must be an array, with a placeholder for each attachment.
    pub(crate) fn from_parts(json: Bytes, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }

    pub(crate) fn borrow(&self) -> ArgsRef<'_> {
        ArgsRef {
            json: self.json(),
            has_name: false,
            attachments: &self.attachments,
        }
    }

    /// The arguments as a JSON array. Placeholders stand for the binary ones.
    pub fn json(&self) -> &str {
        str::from_utf8(&self.json).expect("made from a str")
    }

    /// The binary values among the arguments.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The items of the JSON array, without its brackets and the blanks next to them: whoever goes on behind the last
    /// item looks at its end, and without items there is nothing.
    pub(crate) fn items(&self) -> &str {
        let blank = [' ', '\t', '\n', '\r'];
        let json = self.json().trim_matches(blank);
        let items = json
            .strip_prefix('[')
            .and_then(|json| json.strip_suffix(']'));
        items.unwrap_or_default().trim_matches(blank)
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            json: Bytes::from_static(b"[]"),
            attachments: Vec::new(),
        }
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Args({}, {} attachments)",
            self.json(),
            self.attachments.len()
        )
    }
}

impl Serialize for Args {
    /// Into a packet the arguments go as they are; elsewhere they are a list.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if binary::collect_args(self) {
            return serializer.serialize_unit();
        }
        let list: serde_json::Value = self.parse().map_err(ser::Error::custom)?;
        list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArgsVisitor;
        impl<'de> de::Visitor<'de> for ArgsVisitor {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("all arguments of a packet")
            }

            fn visit_str<E: de::Error>(self, json: &str) -> Result<Args, E> {
                let json = Bytes::copy_from_slice(json.as_bytes());
                Ok(Args {
                    json,
                    attachments: binary::provided(),
                })
            }
        }
        // Our deserializer answers with the JSON array of the arguments; any other one refuses.
        deserializer.deserialize_newtype_struct(TOKEN, ArgsVisitor)
    }
}

/// Whether a text is JSON.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Asks the deserializer for all arguments as they are.
const TOKEN: &str = "$socketio::Args";

#[cfg(test)]
mod tests;
