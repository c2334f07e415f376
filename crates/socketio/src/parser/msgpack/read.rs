//! MessagePack as it arrives: value by value, never recursive, and as the JSON that says the same.
//!
//! Nothing is allocated for a length before the bytes are there. The JSON takes at most six times the bytes it is made
//! of (a control character becomes `\u0001`), and a placeholder for each of the few attachments.

use bytes::Bytes;
use rmp::Marker;
use serde::Serialize;

use super::date;
use crate::{error::DecodeError, packet::MAX_DEPTH};

/// One value, or the beginning of one that holds others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Nil,
    Undefined,
    Bool(bool),
    Uint(u64),
    /// A negative integer.
    Int(i64),
    /// With a fraction, or beyond the integers that JavaScript counts.
    Float(f64),
    Text(&'a str),
    Binary(&'a [u8]),
    /// Milliseconds since 1970.
    Date(i64),
    Extension(i8, &'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many keys and values follow.
    Map(u32),
}

impl<'a> Value<'a> {
    /// The value that bytes begin with.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::new(bytes).next()
    }

    fn int(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Int(value), Self::Uint)
    }

    /// JavaScript has one type of numbers, and writes those without a fraction as integers.
    fn float(value: f64) -> Self {
        if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
            Self::int(value as i64)
        } else {
            Self::Float(value)
        }
    }
}

/// Bytes that have not been read yet.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value; those that an array or a map holds come after it.
    pub(super) fn next(&mut self) -> Result<Value<'a>, DecodeError> {
        Ok(match Marker::from_u8(self.u8()?) {
            Marker::Null => Value::Nil,
            Marker::False => Value::Bool(false),
            Marker::True => Value::Bool(true),
            Marker::FixPos(value) => Value::Uint(value.into()),
            Marker::U8 => Value::Uint(self.u8()?.into()),
            Marker::U16 => Value::Uint(self.u16()?.into()),
            Marker::U32 => Value::Uint(self.u32()?.into()),
            Marker::U64 => Value::Uint(u64::from_be_bytes(self.array()?)),
            Marker::FixNeg(value) => Value::int(value.into()),
            Marker::I8 => Value::int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Value::int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Value::int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Value::int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Value::float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Value::float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => {
                let len = self.u8()?.into();
                self.text(len)?
            }
            Marker::Str16 => {
                let len = self.u16()?.into();
                self.text(len)?
            }
            Marker::Str32 => {
                let len = self.u32()?;
                self.text(len)?
            }
            Marker::Bin8 => {
                let len = self.u8()?.into();
                Value::Binary(self.take(len)?)
            }
            Marker::Bin16 => {
                let len = self.u16()?.into();
                Value::Binary(self.take(len)?)
            }
            Marker::Bin32 => {
                let len = self.u32()?;
                Value::Binary(self.take(len)?)
            }
            Marker::Ext8 => {
                let len = self.u8()?.into();
                self.sized_extension(len)?
            }
            Marker::Ext16 => {
                let len = self.u16()?.into();
                self.sized_extension(len)?
            }
            Marker::Ext32 => {
                let len = self.u32()?;
                self.sized_extension(len)?
            }
            Marker::FixExt1 => match self.extension(1)? {
                (0, _) => Value::Undefined,
                (number, data) => Value::Extension(number, data),
            },
            Marker::FixExt8 => match self.extension(8)? {
                (0, data) => Value::Date(i64::from_be_bytes(Reader(data).array()?)),
                (number, data) => Value::Extension(number, data),
            },
            Marker::FixExt2 => self.fixed_extension(2)?,
            Marker::FixExt4 => self.fixed_extension(4)?,
            Marker::FixExt16 => self.fixed_extension(16)?,
            Marker::FixArray(len) => Value::Array(len.into()),
            Marker::Array16 => Value::Array(self.u16()?.into()),
            Marker::Array32 => Value::Array(self.u32()?),
            Marker::FixMap(len) => Value::Map(len.into()),
            Marker::Map16 => Value::Map(self.u16()?.into()),
            Marker::Map32 => Value::Map(self.u32()?),
            Marker::Reserved => return Err(DecodeError::InvalidPayload),
        })
    }

    /// Passes over the next value and all that it holds, and gives its bytes.
    pub(super) fn skip(&mut self) -> Result<&'a [u8], DecodeError> {
        let before = self.0;
        let mut missing = 1_u64;
        while missing > 0 {
            let inside = match self.next()? {
                Value::Array(len) => u64::from(len),
                Value::Map(len) => 2 * u64::from(len),
                _ => 0,
            };
            missing = (missing - 1).saturating_add(inside);
        }
        Ok(&before[..before.len() - self.0.len()])
    }

    fn take(&mut self, len: u32) -> Result<&'a [u8], DecodeError> {
        let taken = usize::try_from(len).ok();
        let taken = taken.and_then(|len| self.0.split_at_checked(len));
        let (taken, rest) = taken.ok_or(DecodeError::InvalidPayload)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(DecodeError::InvalidPayload)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    fn text(&mut self, len: u32) -> Result<Value<'a>, DecodeError> {
        let text = str::from_utf8(self.take(len)?);
        text.map(Value::Text).map_err(|_| DecodeError::InvalidUtf8)
    }

    fn extension(&mut self, len: u32) -> Result<(i8, &'a [u8]), DecodeError> {
        let number = i8::from_be_bytes(self.array()?);
        Ok((number, self.take(len)?))
    }

    fn fixed_extension(&mut self, len: u32) -> Result<Value<'a>, DecodeError> {
        let (number, data) = self.extension(len)?;
        Ok(Value::Extension(number, data))
    }

    fn sized_extension(&mut self, len: u32) -> Result<Value<'a>, DecodeError> {
        Ok(match self.extension(len)? {
            (0, data) => Value::Binary(data),
            (number, data) => Value::Extension(number, data),
        })
    }
}

/// What becomes of binary values.
#[derive(Debug, Clone, Copy)]
pub(super) enum BinaryAs {
    /// Attachments, at most so many.
    Attachments { max: usize },
    /// Lists of numbers.
    Numbers,
}

/// The JSON of the value that `bytes` are, and its binary values.
pub(super) fn json(bytes: &[u8], binary: BinaryAs) -> Result<(String, Vec<Bytes>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut writer = JsonWriter {
        text: Vec::with_capacity(bytes.len()),
        attachments: Vec::new(),
        binary,
        has_literal_placeholder: false,
    };
    let mut open: Vec<Open> = Vec::new();
    loop {
        match (reader.next()?, open.last()) {
            (Value::Array(_) | Value::Map(_), _) if open.len() == MAX_DEPTH => {
                return Err(DecodeError::TooDeep);
            }
            (Value::Array(missing), _) => open.push(writer.open(false, missing)),
            (Value::Map(missing), _) => open.push(writer.open(true, missing)),
            // As JSON.stringify does.
            (Value::Undefined, Some(map)) if map.is_map => writer.text.truncate(map.entry_at),
            (value, inside) => {
                let names_placeholder = inside.is_some_and(|map| map.names_placeholder);
                writer.has_literal_placeholder |= names_placeholder && value == Value::Bool(true);
                writer.value(value)?;
            }
        }
        while let Some(complete) = open.pop_if(|innermost| innermost.missing == 0) {
            writer.close(&complete);
        }
        let Some(innermost) = open.last_mut() else {
            return writer.finish();
        };
        innermost.missing -= 1;
        innermost.entry_at = writer.text.len();
        writer.separate();
        if innermost.is_map {
            let key = reader.next()?;
            innermost.names_placeholder = key == Value::Text("_placeholder");
            writer.key(key)?;
        }
    }
}

/// An array or a map whose end has not been reached.
struct Open {
    is_map: bool,
    missing: u32,
    /// Where the text ended before the present entry.
    entry_at: usize,
    /// Whether the present entry would make the map a placeholder.
    names_placeholder: bool,
}

struct JsonWriter {
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    binary: BinaryAs,
    /// The peer's data has an object that looks as a placeholder does.
    has_literal_placeholder: bool,
}

impl JsonWriter {
    fn open(&mut self, is_map: bool, missing: u32) -> Open {
        self.text.push(if is_map { b'{' } else { b'[' });
        Open {
            is_map,
            missing,
            entry_at: self.text.len(),
            names_placeholder: false,
        }
    }

    fn close(&mut self, complete: &Open) {
        self.text.push(if complete.is_map { b'}' } else { b']' });
    }

    /// No value ends with an opening bracket.
    fn separate(&mut self) {
        if !matches!(self.text.last(), Some(b'[' | b'{')) {
            self.text.push(b',');
        }
    }

    fn key(&mut self, key: Value<'_>) -> Result<(), DecodeError> {
        match key {
            Value::Text(key) => self.push(key)?,
            Value::Uint(key) => self.push(&key.to_string())?,
            Value::Int(key) => self.push(&key.to_string())?,
            _ => return Err(DecodeError::InvalidPayload),
        }
        self.text.push(b':');
        Ok(())
    }

    fn value(&mut self, value: Value<'_>) -> Result<(), DecodeError> {
        match value {
            Value::Nil | Value::Undefined => self.push(&()),
            Value::Bool(value) => self.push(&value),
            Value::Uint(value) => self.push(&value),
            Value::Int(value) => self.push(&value),
            // What is no number becomes null.
            Value::Float(value) => self.push(&value),
            Value::Text(value) => self.push(value),
            Value::Date(milliseconds) => self.push(&date::iso(milliseconds)),
            Value::Binary(data) => self.binary(data),
            Value::Extension(number, data) => {
                self.text.push(b'[');
                self.push(&number)?;
                self.text.push(b',');
                self.binary(data)?;
                self.text.push(b']');
                Ok(())
            }
            // They are opened, and never come here.
            Value::Array(_) | Value::Map(_) => Err(DecodeError::InvalidPayload),
        }
    }

    fn binary(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        match self.binary {
            BinaryAs::Numbers => self.push(data),
            BinaryAs::Attachments { max } if self.attachments.len() == max => {
                Err(DecodeError::TooManyAttachments)
            }
            BinaryAs::Attachments { .. } => {
                self.text
                    .extend_from_slice(br#"{"_placeholder":true,"num":"#);
                self.push(&self.attachments.len())?;
                self.text.push(b'}');
                // Copied, since the packet may be kept for long.
                self.attachments.push(Bytes::copy_from_slice(data));
                Ok(())
            }
        }
    }

    fn push(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), DecodeError> {
        serde_json::to_writer(&mut self.text, value).map_err(|_| DecodeError::InvalidPayload)
    }

    fn finish(self) -> Result<(String, Vec<Bytes>), DecodeError> {
        // Nobody could tell it from those that stand for attachments.
        if self.has_literal_placeholder && !self.attachments.is_empty() {
            return Err(DecodeError::InvalidPlaceholder);
        }
        let text = String::from_utf8(self.text).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok((text, self.attachments))
    }
}

/// 2^53: up to here a float is exactly the integer that it says.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
