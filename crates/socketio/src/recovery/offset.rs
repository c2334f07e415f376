//! What a client brings when it comes back: the secret name of its session, and how far it has read.

use std::{fmt, str::FromStr};

use engineio::Sid;

/// The secret name of a session. Whoever knows it is taken for its client, once the middlewares have agreed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid([u8; PID_LENGTH]);

const PID_LENGTH: usize = 20;

impl Pid {
    /// Makes a name from random bytes. They must come from the operating system's generator.
    pub fn from_random(random: [u8; 15]) -> Self {
        let text = Sid::from_random(random);
        let text = text.as_str().as_bytes();
        Self(text.try_into().expect("a random id has 20 characters"))
    }

    /// The name as the client knows it: 20 characters that neither JSON nor SQL escape.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("only made of ascii characters")
    }

    /// Reads a name; anything that is none names nobody.
    pub fn parse(text: &str) -> Option<Self> {
        let _is_made_of_the_right_characters: Sid = text.parse().ok()?;
        text.as_bytes().try_into().ok().map(Self)
    }
}

impl fmt::Debug for Pid {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid(..)")
    }
}

/// Tells the numbers of one history from those of another: eight random characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Epoch([u8; 8]);

impl Epoch {
    /// Makes an epoch from random bytes, of which it takes 48 bits.
    pub fn from_random(random: [u8; 8]) -> Self {
        Self(random.map(|byte| ALPHABET[usize::from(byte & 63)]))
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only made of ASCII characters")
    }

    /// Reads an epoch.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 8] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(|byte| ALPHABET.contains(byte))
            .then_some(Self(bytes))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({})", self.as_str())
    }
}

/// The place of an event in a history: what a client gets as the event's last argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Which history.
    pub epoch: Epoch,
    /// Which event, counted from 1 without gaps; 0 is before the first.
    pub number: u64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.as_str(), self.number)
    }
}

/// The text is not an epoch, a dot and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an offset")]
pub struct InvalidOffset;

impl FromStr for Offset {
    type Err = InvalidOffset;

    fn from_str(text: &str) -> Result<Self, InvalidOffset> {
        let (epoch, number) = text.split_once('.').ok_or(InvalidOffset)?;
        // Only what we have written ourselves is read: no sign, no zero in front.
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit())
            && (number == "0" || !number.starts_with('0'));
        let number = number.parse().ok().filter(|_| is_plain);
        Ok(Self {
            epoch: Epoch::parse(epoch).ok_or(InvalidOffset)?,
            number: number.ok_or(InvalidOffset)?,
        })
    }
}

/// What a client says of how far it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It has no offset.
    Nothing,
    /// It has handled the event of this offset.
    UpTo(Offset),
    /// What it says is no offset, and therefore not the client's own word.
    Unclear,
}

impl Seen {
    /// Reads the offset of a CONNECT, if it has one.
    pub fn parse(offset: Option<&str>) -> Self {
        match offset.map(str::parse) {
            None => Self::Nothing,
            Some(Ok(offset)) => Self::UpTo(offset),
            Some(Err(InvalidOffset)) => Self::Unclear,
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_as_it_was_written_and_in_no_other_way() {
        let epoch = Epoch::from_random([0, 1, 63, 64, 255, 7, 8, 9]);
        for number in [0, 1, 10, u64::MAX] {
            let offset = Offset { epoch, number };
            assert_eq!(offset.to_string().parse(), Ok(offset));
        }
        for text in [
            "",
            ".",
            "AB_A_HIJ",
            "AB_A_HIJ.",
            "AB_A_HIJ.01",
            "AB_A_HIJ.+1",
            "AB_A_HIJ.-1",
            "AB_A_HIJ.1.2",
            "AB_A_HIJ.18446744073709551616",
            "AB_A_HI.1",
            "AB_A_HIJK.1",
            "AB A_HIJ.1",
            "éAB_A_H.1",
        ] {
            assert_eq!(text.parse::<Offset>(), Err(InvalidOffset), "{text}");
        }
    }

    #[test]
    fn a_pid_does_not_show_in_logs() {
        let pid = Pid::from_random([7; 15]);
        assert_eq!(format!("{pid:?}"), "Pid(..)");
        assert_eq!(Pid::parse(pid.as_str()), Some(pid));
        assert_eq!(Pid::parse("' or 1=1; --"), None);
    }
}
