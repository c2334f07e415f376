//! JSON as MessagePack that says the same, with binary values in place of their placeholders.
//!
//! MessagePack tells the length of an array or a map before what is in it, so the text is gone through twice: to count,
//! and to write.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use rmp::{
    Marker,
    encode::{
        ValueWriteError, write_array_len, write_bin, write_f64, write_map_len, write_sint,
        write_str, write_uint,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::binary::{Container, Tokens};

/// Writes valid JSON, of less than 4 GiB. Other text becomes something.
pub(super) fn json(
    message: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
) -> Result<(), ValueWriteError> {
    let mut headers = measure(json, attachments.len()).into_iter();
    let mut tokens = Tokens(json);
    while let Some(token) = tokens.next() {
        match token {
            "[" | "{" => match headers.next() {
                Some(Header::Array(len)) => drop(write_array_len(message, len)?),
                Some(Header::Map(len)) => drop(write_map_len(message, len)?),
                Some(Header::Attachment(num)) => {
                    write_bin(message, &attachments[num])?;
                    // Whatever else the object has.
                    let inside = pass_over(&mut tokens);
                    headers.by_ref().take(inside).for_each(drop);
                }
                None => {}
            },
            "]" | "}" | "," => {}
            "null" => message.push(Marker::Null.to_u8()),
            "true" => message.push(Marker::True.to_u8()),
            "false" => message.push(Marker::False.to_u8()),
            token if token.starts_with('"') => write_str(message, &text_of(token))?,
            number => write_number(message, number)?,
        }
    }
    Ok(())
}

/// How an array or an object begins.
#[derive(Clone, Copy)]
enum Header {
    Array(u32),
    Map(u32),
    /// An object that stands for this attachment.
    Attachment(usize),
}

/// The arrays and objects in the order in which they open.
fn measure(json: &str, attachments: usize) -> Vec<Header> {
    let mut headers = Vec::new();
    let mut open = Vec::new();
    // Where the headers of those that are open are.
    let mut places = Vec::new();
    for token in Tokens(json) {
        let closed = Container::follow(&mut open, token, attachments);
        match token {
            "[" | "{" => {
                places.push(headers.len());
                headers.push(Header::Array(0));
            }
            "]" | "}" => {
                if let (Some(place), Some(closed)) = (places.pop(), closed) {
                    // Fewer than there are bytes.
                    let len = u32::try_from(closed.len()).unwrap_or(u32::MAX);
                    headers[place] = match closed.attachment() {
                        Some(num) => Header::Attachment(num),
                        None if token == "]" => Header::Array(len),
                        None => Header::Map(len),
                    };
                }
            }
            _ => {}
        }
    }
    headers
}

/// Goes on behind the end of the object that was opened, and tells how many others began in it.
fn pass_over(tokens: &mut Tokens<'_>) -> usize {
    let (mut depth, mut inside) = (1, 0);
    for token in tokens {
        match token {
            "[" | "{" => {
                depth += 1;
                inside += 1;
            }
            "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    inside
}

/// As the reference, a number without a fraction is an integer, however it was written.
fn write_number(message: &mut Vec<u8>, number: &str) -> Result<(), ValueWriteError> {
    if let Ok(number) = number.parse() {
        return write_uint(message, number).map(drop);
    }
    if let Ok(number) = number.parse() {
        return write_sint(message, number).map(drop);
    }
    // JSON has no number that is none; a larger one is an infinity, as in JavaScript.
    let number: f64 = number.parse().unwrap_or(f64::NAN);
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
        return write_sint(message, number as i64).map(drop);
    }
    write_f64(message, number)
}

/// What a JSON string says. Half a surrogate pair, which JSON can write and MessagePack cannot, is replaced.
fn text_of(token: &str) -> Cow<'_, str> {
    let inner = token.get(1..token.len() - 1).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_str::<Lossy>(token) {
        Ok(Lossy(text)) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(inner),
    }
}

/// Asked for bytes, serde_json gives those that half a pair would have.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LossyVisitor;
        impl Visitor<'_> for LossyVisitor {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(LossyVisitor)
    }
}

/// 2^53: up to here a float is exactly the integer that it says.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
