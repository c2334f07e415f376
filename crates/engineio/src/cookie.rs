//! `Cookie`: the session's id for load balancers, checked when the server is built.

use std::time::Duration;

use crate::{cors::is_name, sid::Sid};

/// A cookie that the answer to a long-polling handshake sets, so that a load balancer knows whose request comes next.
/// Its value is the session's id; the server itself never reads it. The default is that of the reference.
///
/// ```
/// use engineio::{Config, Cookie, CookieOptions};
///
/// let cookie = Cookie::new(CookieOptions { name: "lb".to_owned(), secure: true, ..CookieOptions::default() })?;
/// let config = Config { cookie: Some(cookie), ..Config::default() };
/// # drop(config);
/// # Ok::<_, engineio::CookieError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieOptions {
    /// Its name. Default: `io`.
    pub name: String,
    /// The path it is for. Default: `/`; `None` sets none, which is the path of the server.
    pub path: Option<String>,
    /// Whether scripts may not read it. Default: `true`.
    pub http_only: bool,
    /// When it is sent with requests of other sites. Default: [`SameSite::Lax`].
    pub same_site: Option<SameSite>,
    /// How long it is kept, in whole seconds. Default: until the browser ends.
    pub max_age: Option<Duration>,
    /// The domain it is for. Default: the host alone.
    pub domain: Option<String>,
    /// Whether it is sent over TLS alone. Default: `false`.
    pub secure: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            http_only: true,
            same_site: Some(SameSite::Lax),
            max_age: None,
            domain: None,
            secure: false,
        }
    }
}

/// When a cookie is sent with requests of other sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always. Browsers want `secure` with it.
    None,
}

/// [`CookieOptions`] that fit in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    /// What follows the value.
    attributes: String,
}

/// Why [`CookieOptions`] were refused: a text would have ended what it stands in, and could have added to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// The name is no token.
    #[error("not a name of a cookie: {0:?}")]
    InvalidName(String),
    /// The path has a semicolon, or what is no printable ASCII.
    #[error("not a path: {0:?}")]
    InvalidPath(String),
    /// The domain has anything but letters, digits, dots and hyphens.
    #[error("not a domain: {0:?}")]
    InvalidDomain(String),
}

impl Cookie {
    /// Checks the options.
    pub fn new(options: CookieOptions) -> Result<Self, CookieError> {
        if !is_name(&options.name) {
            return Err(CookieError::InvalidName(options.name));
        }
        let mut attributes = String::new();
        if let Some(age) = options.max_age {
            attributes += &format!("; Max-Age={}", age.as_secs());
        }
        if let Some(domain) = options.domain {
            if !is_domain(&domain) {
                return Err(CookieError::InvalidDomain(domain));
            }
            attributes += &format!("; Domain={domain}");
        }
        if let Some(path) = options.path {
            if !is_path(&path) {
                return Err(CookieError::InvalidPath(path));
            }
            attributes += &format!("; Path={path}");
        }
        if options.http_only {
            attributes += "; HttpOnly";
        }
        if options.secure {
            attributes += "; Secure";
        }
        attributes += match options.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        };
        Ok(Self {
            name: options.name,
            attributes,
        })
    }

    /// The value of the `Set-Cookie` header.
    pub fn header(&self, sid: Sid) -> String {
        format!("{}={sid}{}", self.name, self.attributes)
    }
}

fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_inner)
    };
    // As the reference, a leading dot is let through: browsers ignore it.
    text.strip_prefix('.')
        .unwrap_or(text)
        .split('.')
        .all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: CookieOptions) -> String {
        let sid = "abcdefghijklmnopqrst".parse().unwrap();
        Cookie::new(options).unwrap().header(sid)
    }

    #[test]
    fn the_default_is_the_references() {
        assert_eq!(
            header(CookieOptions::default()),
            "io=abcdefghijklmnopqrst; Path=/; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn all_attributes_stand_in_the_references_order() {
        let options = CookieOptions {
            name: "sess".to_owned(),
            path: Some("/custom".to_owned()),
            http_only: true,
            same_site: Some(SameSite::Strict),
            max_age: Some(Duration::from_millis(10_900)),
            domain: Some("d.test".to_owned()),
            secure: true,
        };
        assert_eq!(
            header(options),
            "sess=abcdefghijklmnopqrst; Max-Age=10; Domain=d.test; Path=/custom; HttpOnly; Secure; SameSite=Strict"
        );
    }

    #[test]
    fn each_attribute_can_be_left_out() {
        let options = CookieOptions {
            path: None,
            http_only: false,
            same_site: None,
            ..CookieOptions::default()
        };
        assert_eq!(header(options), "io=abcdefghijklmnopqrst");
    }

    #[test]
    fn nothing_can_add_to_the_header() {
        for bad in ["", "a;b", "a\r\nSet-Cookie: x", "a\0", "ä", "a; HttpOnly"] {
            let text = || bad.to_owned();
            let cases = [
                (
                    CookieOptions {
                        name: text(),
                        ..CookieOptions::default()
                    },
                    CookieError::InvalidName(text()),
                ),
                (
                    CookieOptions {
                        path: Some(text()),
                        ..CookieOptions::default()
                    },
                    CookieError::InvalidPath(text()),
                ),
                (
                    CookieOptions {
                        domain: Some(text()),
                        ..CookieOptions::default()
                    },
                    CookieError::InvalidDomain(text()),
                ),
            ];
            for (options, expected) in cases {
                assert_eq!(Cookie::new(options), Err(expected));
            }
        }
        for name in ["a=b", "a b", "a,b", "\"a\""] {
            let options = CookieOptions {
                name: name.to_owned(),
                ..CookieOptions::default()
            };
            let expected = Err(CookieError::InvalidName(name.to_owned()));
            assert_eq!(Cookie::new(options), expected);
        }
    }
}
