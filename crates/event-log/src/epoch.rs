//! The name of one history: offsets of different epochs have nothing to do with each other.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

/// A random name made together with a database: 20 characters of the URL-safe alphabet.
///
/// A reader keeps it beside its cursor. When the database is replaced, the old cursor is told by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; Epoch::LEN]);

impl Epoch {
    const LEN: usize = 20;

    /// An epoch named by random bytes, which the caller takes from the operating system.
    #[must_use]
    pub fn from_random(bytes: [u8; 15]) -> Self {
        let mut name = [0; Self::LEN];
        BASE64URL_NOPAD.encode_mut(&bytes, &mut name);
        Self(name)
    }

    /// Reads what [`as_str`](Self::as_str) wrote, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = <[u8; Self::LEN]>::try_from(text.as_bytes()).ok()?;
        BASE64URL_NOPAD.decode(&name).ok()?;
        Some(Self(name))
    }

    /// The 20 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("both constructors admit ASCII only")
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let epoch = Epoch::from_random([0xfb; 15]);
        assert_eq!(epoch.as_str(), "-_v7-_v7-_v7-_v7-_v7");
        assert_eq!(Epoch::parse(epoch.as_str()), Some(epoch));
    }

    #[test]
    fn other_text_is_no_epoch() {
        for text in [
            "",
            "short",
            "aaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaa+/",
            "äääääääääa",
        ] {
            assert_eq!(Epoch::parse(text), None, "{text}");
        }
    }
}
