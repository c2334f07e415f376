//! `Sid`: 20 characters of the URL-safe base64 alphabet, made from 120 random bits that the caller brings.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;

const LENGTH: usize = 20;

/// An identifier of a session or a socket. It is as good as a password: whoever knows a session's id can speak for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid([u8; LENGTH]);

impl Sid {
    /// Makes an id from random bytes. They must come from the operating system's generator.
    pub fn from_random(random: [u8; 15]) -> Self {
        let mut text = [0; LENGTH];
        BASE64URL_NOPAD.encode_mut(&random, &mut text);
        Self(text)
    }

    /// The id as it stands in a query string or an open packet.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only made of base64 characters")
    }
}

/// The text is not 20 characters of the URL-safe base64 alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct InvalidSid;

impl FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidSid)?;
        let valid = bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if valid {
            Ok(Self(bytes))
        } else {
            Err(InvalidSid)
        }
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
        assert_eq!("____________________".parse(), Ok(sid));
        assert_ne!(Sid::from_random([0xfe; 15]), sid);
    }

    #[test]
    fn other_lengths_and_alphabets_are_refused() {
        for text in [
            "",
            "short",
            "___________________",
            "_____________________",
            "+___________________",
            "é__________________",
        ] {
            assert_eq!(text.parse::<Sid>(), Err(InvalidSid), "{text}");
        }
    }
}
