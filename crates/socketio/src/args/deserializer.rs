//! The deserializer around serde_json's that makes the number of arguments a matter of taste.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::{Error, de::StrRead};

use crate::{args, binary};

/// Reads one JSON array as a list of arguments.
pub(super) struct ArgsDeserializer<'a, 'de> {
    text: &'de str,
    json: &'a mut serde_json::Deserializer<StrRead<'de>>,
    has_name: bool,
}

impl<'a, 'de> ArgsDeserializer<'a, 'de> {
    /// `json` stands at the beginning of `text`. The first item is left out if it is the event's name.
    pub(super) fn new(
        text: &'de str,
        json: &'a mut serde_json::Deserializer<StrRead<'de>>,
        has_name: bool,
    ) -> Self {
        Self {
            text,
            json,
            has_name,
        }
    }

    fn take<V: Visitor<'de>>(self, take: Take, visitor: V) -> Result<V::Value, Error> {
        self.json.deserialize_seq(ListVisitor {
            has_name: self.has_name,
            take,
            visitor,
        })
    }

    fn capture(self) -> Result<String, Error> {
        let (text, has_name) = (self.text, self.has_name);
        self.take(Take::Nothing, IgnoredAny)?;
        Ok(if has_name {
            without_name(text)
        } else {
            text.to_owned()
        })
    }
}

/// What a type wants of the arguments.
enum Take {
    Nothing,
    /// All of them, as a list.
    List,
    /// As many as the type has fields.
    Tuple,
    First(Hint),
}

/// How the type of a single argument wants to be deserialized: the method of [`Deserializer`] it calls.
enum Hint {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    String,
    Bytes,
    ByteBuf,
    Option,
    Map,
    Identifier,
    Newtype(&'static str),
    Struct(&'static str, &'static [&'static str]),
    Enum(&'static str, &'static [&'static str]),
}

impl Hint {
    fn follow<'de, D: Deserializer<'de>, V: Visitor<'de>>(
        self,
        value: D,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        match self {
            Self::Bool => value.deserialize_bool(visitor),
            Self::I8 => value.deserialize_i8(visitor),
            Self::I16 => value.deserialize_i16(visitor),
            Self::I32 => value.deserialize_i32(visitor),
            Self::I64 => value.deserialize_i64(visitor),
            Self::I128 => value.deserialize_i128(visitor),
            Self::U8 => value.deserialize_u8(visitor),
            Self::U16 => value.deserialize_u16(visitor),
            Self::U32 => value.deserialize_u32(visitor),
            Self::U64 => value.deserialize_u64(visitor),
            Self::U128 => value.deserialize_u128(visitor),
            Self::F32 => value.deserialize_f32(visitor),
            Self::F64 => value.deserialize_f64(visitor),
            Self::Char => value.deserialize_char(visitor),
            Self::Str => value.deserialize_str(visitor),
            Self::String => value.deserialize_string(visitor),
            Self::Bytes => value.deserialize_bytes(visitor),
            Self::ByteBuf => value.deserialize_byte_buf(visitor),
            Self::Option => value.deserialize_option(visitor),
            Self::Map => value.deserialize_map(visitor),
            Self::Identifier => value.deserialize_identifier(visitor),
            Self::Newtype(name) => value.deserialize_newtype_struct(name, visitor),
            Self::Struct(name, fields) => value.deserialize_struct(name, fields, visitor),
            Self::Enum(name, variants) => value.deserialize_enum(name, variants, visitor),
        }
    }
}

macro_rules! first_argument {
    ($($method:ident => $hint:expr,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.take(Take::First($hint), visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for ArgsDeserializer<'_, 'de> {
    type Error = Error;

    first_argument! {
        deserialize_bool => Hint::Bool,
        deserialize_i8 => Hint::I8,
        deserialize_i16 => Hint::I16,
        deserialize_i32 => Hint::I32,
        deserialize_i64 => Hint::I64,
        deserialize_i128 => Hint::I128,
        deserialize_u8 => Hint::U8,
        deserialize_u16 => Hint::U16,
        deserialize_u32 => Hint::U32,
        deserialize_u64 => Hint::U64,
        deserialize_u128 => Hint::U128,
        deserialize_f32 => Hint::F32,
        deserialize_f64 => Hint::F64,
        deserialize_char => Hint::Char,
        deserialize_str => Hint::Str,
        deserialize_string => Hint::String,
        deserialize_bytes => Hint::Bytes,
        deserialize_byte_buf => Hint::ByteBuf,
        deserialize_option => Hint::Option,
        deserialize_map => Hint::Map,
        deserialize_identifier => Hint::Identifier,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.take(Take::List, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.take(Take::List, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.take(Take::Tuple, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.take(Take::Tuple, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.take(Take::Nothing, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.take(Take::Nothing, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.take(Take::Nothing, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            args::TOKEN => visitor.visit_string(self.capture()?),
            binary::TOKEN => self.take(Take::First(Hint::Newtype(name)), visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.take(Take::First(Hint::Struct(name, fields)), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.take(Take::First(Hint::Enum(name, variants)), visitor)
    }
}

/// Goes over the array, and hands the type what it wants of it.
struct ListVisitor<V> {
    has_name: bool,
    take: Take,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ListVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<V::Value, A::Error> {
        if self.has_name {
            seq.next_element::<IgnoredAny>()?;
        }
        let value = match self.take {
            Take::Nothing => self.visitor.visit_unit()?,
            Take::List => self.visitor.visit_seq(&mut seq)?,
            Take::Tuple => self.visitor.visit_seq(Padded {
                seq: &mut seq,
                ended: false,
            })?,
            Take::First(hint) => {
                let mut argument = Argument(Some((hint, self.visitor)));
                match seq.next_element_seed(&mut argument)? {
                    Some(value) => value,
                    None => argument.deserialize(Absent::new())?,
                }
            }
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

/// The one argument, which may turn out to be absent, so that it is still there afterwards.
struct Argument<V>(Option<(Hint, V)>);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for &mut Argument<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        match self.0.take() {
            Some((hint, visitor)) => hint.follow(value, visitor),
            None => Err(de::Error::custom("argument was read twice")),
        }
    }
}

/// A list that goes on for ever: behind its end all elements are absent.
struct Padded<'a, A> {
    seq: &'a mut A,
    ended: bool,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Padded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let mut seed = Seed(Some(seed));
        if !self.ended {
            if let Some(value) = self.seq.next_element_seed(&mut seed)? {
                return Ok(Some(value));
            }
            self.ended = true;
        }
        seed.deserialize(Absent::new()).map(Some)
    }
}

/// A seed that is still there if there was no element.
struct Seed<T>(Option<T>);

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for &mut Seed<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<T::Value, D::Error> {
        match self.0.take() {
            Some(seed) => seed.deserialize(value),
            None => Err(de::Error::custom("argument was read twice")),
        }
    }
}

/// An argument that was not sent: what `undefined` is to JavaScript.
struct Absent<E>(std::marker::PhantomData<E>);

impl<E> Absent<E> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, E: de::Error> Deserializer<'de> for Absent<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The JSON array of an event without its first item. The text is known to be such an array.
fn without_name(text: &str) -> String {
    let list = text.trim_start_matches(['[', ' ', '\t', '\n', '\r']);
    let end = match list.as_bytes().first() {
        Some(b'"') => binary::string_end(list),
        _ => list
            .find([' ', '\t', '\n', '\r', ',', ']'])
            .unwrap_or(list.len()),
    };
    let rest = list[end..].trim_start_matches([' ', '\t', '\n', '\r']);
    format!("[{}", rest.strip_prefix(',').unwrap_or(rest))
}
