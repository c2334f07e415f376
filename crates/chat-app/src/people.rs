//! Who speaks: the secret a page keeps for itself, and the public name that is made of it.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// The author of messages from clients that bring no identity.
const ANONYMOUS: &str = "anonymous";

/// The key that pages make while they have no id; it names nobody.
const WITHOUT_IDENTITY: &str = "undefined-";

/// Who a connection speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It has shown a secret of its own; this is the public name of it.
    Proved {
        /// 16 characters of base64, the same for each connection that shows the secret.
        author: String,
    },
    /// It has shown nothing, as the tutorial's page does.
    Anonymous,
}

/// The `clientId` is not a string of 16 to 64 characters of the URL-safe base64 alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidClientId;

impl Identity {
    /// Who shows this secret. The secret itself is kept nowhere: its hash can be shown to everybody.
    pub fn of_client_id(client_id: &str) -> Result<Self, InvalidClientId> {
        let is_valid = (16..=64).contains(&client_id.len())
            && client_id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_valid {
            return Err(InvalidClientId);
        }
        let author = BASE64URL_NOPAD.encode(&Sha256::digest(client_id)[..12]);
        Ok(Self::Proved { author })
    }

    /// Whether there is somebody to whom answers mean something.
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Proved { .. })
    }

    /// The author under which a message with this key is stored: keys of different authors never meet.
    ///
    /// An anonymous key carries the id of the connection it was made on, and is told from others by that, also when
    /// it is sent again on the next connection. A key that was made without such an id names nobody, and is good
    /// for this connection alone.
    pub fn author_of(&self, key: &str, connection: &str) -> String {
        match self {
            Self::Proved { author } => author.clone(),
            Self::Anonymous if key.starts_with(WITHOUT_IDENTITY) || key.starts_with('-') => {
                format!("{ANONYMOUS}:{connection}")
            }
            Self::Anonymous => ANONYMOUS.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_public_name_that_does_not_show_it() {
        let secret = "0123456789abcdef-_";
        let Ok(Identity::Proved { author }) = Identity::of_client_id(secret) else {
            panic!("refused")
        };
        assert_eq!(author.len(), 16);
        assert!(!author.contains("0123"));
        assert_eq!(
            Identity::of_client_id(secret),
            Ok(Identity::Proved {
                author: author.clone()
            })
        );
        assert_ne!(
            Identity::of_client_id("0123456789abcdef-x"),
            Ok(Identity::Proved { author })
        );
    }

    #[test]
    fn other_lengths_and_characters_are_no_secret() {
        for client_id in [
            "",
            "0123456789abcde",
            "0123456789abcde é",
            "0123456789abcdef ",
            &"x".repeat(65),
        ] {
            assert_eq!(
                Identity::of_client_id(client_id),
                Err(InvalidClientId),
                "{client_id}"
            );
        }
        assert!(Identity::of_client_id(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn keys_without_identity_never_meet_those_of_another_connection() {
        let anonymous = Identity::Anonymous;
        assert_eq!(
            anonymous.author_of("abc-0", "one"),
            anonymous.author_of("abc-0", "two")
        );
        for key in ["undefined-0", "-0"] {
            assert_ne!(
                anonymous.author_of(key, "one"),
                anonymous.author_of(key, "two")
            );
        }
    }
}
