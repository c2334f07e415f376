//! `Sid`: 20 characters of the URL-safe base64 alphabet, made from 120 random bits that the caller brings; or an id of
//! the application's own.

use std::{fmt, str::FromStr, sync::Arc};

use data_encoding::BASE64URL_NOPAD;

/// What is kept in place. With it an id is as large as its allocated form makes it anyway.
const INLINE: usize = 23;

/// An identifier of a session or a socket. It is as good as a password: whoever knows a session's id can speak for it.
///
/// Cloning it is cheap. Up to 23 characters it holds them itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(Repr);

/// Each text has one form only, so that equal ids are equal texts. Their order is any that stays the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    /// Filled up with zeros.
    Short([u8; INLINE]),
    Long(Arc<str>),
}

impl Sid {
    /// The most characters an id may have.
    pub const MAX_LENGTH: usize = 128;

    /// Makes an id from random bytes. They must come from the operating system's generator.
    pub fn from_random(random: [u8; 15]) -> Self {
        let mut text = [0; INLINE];
        BASE64URL_NOPAD.encode_mut(&random, &mut text[..20]);
        Self(Repr::Short(text))
    }

    /// The id as it stands in a query string or an open packet.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Short(text) => {
                let length = text.iter().position(|byte| *byte == 0).unwrap_or(INLINE);
                std::str::from_utf8(&text[..length]).expect("only made of ascii characters")
            }
            Repr::Long(text) => text,
        }
    }
}

/// The text is not 1 to [`Sid::MAX_LENGTH`] characters that stand for themselves in a URL: letters, digits, and `-._~`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct InvalidSid;

impl FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        let stands_for_itself =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let valid =
            (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(stands_for_itself);
        if !valid {
            return Err(InvalidSid);
        }
        let mut short = [0; INLINE];
        Ok(Self(match short.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Repr::Short(short)
            }
            None => Repr::Long(text.into()),
        }))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_twenty_url_safe_characters_and_reads_back() {
        let sid = Sid::from_random([0xff; 15]);
        assert_eq!(sid.as_str(), "____________________");
        assert_eq!("____________________".parse(), Ok(sid.clone()));
        assert_ne!(Sid::from_random([0xfe; 15]), sid);
    }

    #[test]
    fn ids_of_other_lengths_read_back_too() {
        for length in [1, 19, 20, 22, 23, 24, 36, 128] {
            let text: String = "aZ0-._~".chars().cycle().take(length).collect();
            let sid: Sid = text.parse().unwrap();
            assert_eq!(sid.as_str(), text);
            assert_eq!(text.parse(), Ok(sid.clone()));
            assert_ne!(text.replace('a', "b").parse(), Ok(sid));
        }
    }

    #[test]
    fn what_would_need_escapes_or_is_too_long_is_refused() {
        for text in [
            "",
            "+a",
            "a b",
            "a/b",
            "a\0",
            "é",
            "a%20b",
            &"a".repeat(129),
        ] {
            assert_eq!(text.parse::<Sid>(), Err(InvalidSid), "{text}");
        }
    }

    #[test]
    fn it_fills_what_a_long_one_needs_anyway() {
        assert_eq!(size_of::<Sid>(), 24);
    }
}
