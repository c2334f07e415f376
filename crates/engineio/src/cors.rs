//! `Cors`: which pages of other origins may use a server, checked when it is built.

use std::{fmt, sync::Arc, time::Duration};

/// What the pages of other origins may do. Its default is that of the reference: any origin, without credentials.
///
/// ```
/// use engineio::{Config, Cors, CorsOptions, Origins};
///
/// let cors = Cors::new(CorsOptions {
///     origin: Origins::List(vec!["https://example.com".to_owned()]),
///     credentials: true,
///     ..CorsOptions::default()
/// })?;
/// let config = Config { cors: Some(cors), ..Config::default() };
/// # drop(config);
/// # Ok::<_, engineio::CorsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CorsOptions {
    /// Whose pages are let in. Default: [`Origins::Any`].
    pub origin: Origins,
    /// Whether browsers send cookies along and show the page what comes back. Default: `false`.
    pub credentials: bool,
    /// The methods named to a preflight request. Default: `GET`, `HEAD`, `PUT`, `PATCH`, `POST`, `DELETE`.
    pub methods: Vec<String>,
    /// The request headers named to a preflight request. Default: those that it asks for.
    pub allowed_headers: Option<Vec<String>>,
    /// The response headers that a page may read. Default: none but those that any page may.
    pub exposed_headers: Vec<String>,
    /// How long a browser may keep the answer to a preflight request, in whole seconds. Default: it decides.
    pub max_age: Option<Duration>,
}

impl Default for CorsOptions {
    fn default() -> Self {
        let methods = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"];
        Self {
            origin: Origins::Any,
            credentials: false,
            methods: methods.map(str::to_owned).into(),
            allowed_headers: None,
            exposed_headers: Vec::new(),
            max_age: None,
        }
    }
}

/// The origins whose pages are let in.
#[derive(Debug, Clone)]
pub enum Origins {
    /// All.
    Any,
    /// These, each as a browser names it: `https://example.com`, without a slash at the end.
    List(Vec<String>),
    /// Those for which a function says yes, see [`Origins::matching`].
    Matching(OriginPredicate),
}

impl Origins {
    /// The origins for which `predicate` says yes. It is called for each request that names one, so it should be short.
    pub fn matching(predicate: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::Matching(OriginPredicate(Arc::new(predicate)))
    }
}

/// A function that judges an origin, made by [`Origins::matching`].
#[derive(Clone)]
pub struct OriginPredicate(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for OriginPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginPredicate")
    }
}

/// [`CorsOptions`] that make sense.
///
/// Where the origins are a list or a predicate, an origin that is not among them is also refused, with status 403 and
/// code 4, a WebSocket and any request for a session there is: CORS alone keeps a foreign page from reading
/// responses, not from opening a WebSocket. The server's own pages and clients that name no origin are let in. A script of
/// JSONP polling, which any page can load and read, must name one, and does so by its `Referer`.
#[derive(Debug, Clone)]
pub struct Cors(CorsOptions);

/// Why [`CorsOptions`] were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorsError {
    /// Any origin, with credentials: browsers refuse it, and with a reflected origin every page could act as the user.
    #[error("credentials need the origins to be named")]
    CredentialsForAnyOrigin,
    /// An origin that no browser would send, so that it could never match.
    #[error("not an origin: {0:?}")]
    InvalidOrigin(String),
    /// The name of a method or a header that is no token.
    #[error("not a name of a method or header: {0:?}")]
    InvalidName(String),
}

impl Cors {
    /// Checks the options.
    pub fn new(options: CorsOptions) -> Result<Self, CorsError> {
        match &options.origin {
            Origins::Any if options.credentials => return Err(CorsError::CredentialsForAnyOrigin),
            Origins::List(origins) => {
                if let Some(origin) = origins.iter().find(|origin| !is_origin(origin)) {
                    return Err(CorsError::InvalidOrigin(origin.clone()));
                }
            }
            Origins::Any | Origins::Matching(_) => {}
        }
        let allowed_headers = options.allowed_headers.iter().flatten();
        let mut names = options
            .methods
            .iter()
            .chain(allowed_headers)
            .chain(&options.exposed_headers);
        if let Some(name) = names.find(|name| !is_name(name)) {
            return Err(CorsError::InvalidName(name.clone()));
        }
        Ok(Self(options))
    }

    /// The options it was made of.
    pub fn options(&self) -> &CorsOptions {
        &self.0
    }

    /// Whether the pages of an origin are let in.
    pub fn allows(&self, origin: &str) -> bool {
        match &self.0.origin {
            Origins::Any => true,
            Origins::List(origins) => origins.iter().any(|one| one == origin),
            Origins::Matching(predicate) => (predicate.0)(origin),
        }
    }
}

/// As a browser writes it: a scheme and a host with its port, or `null`.
fn is_origin(text: &str) -> bool {
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/?#@*,".contains(&byte))
    };
    match text.split_once("://") {
        Some((scheme, host)) => is_name(scheme) && is_host(host),
        None => text == "null",
    }
}

/// RFC 9110, section 5.6.2: a token.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(origins: &[&str]) -> CorsOptions {
        CorsOptions {
            origin: Origins::List(origins.iter().map(|&origin| origin.to_owned()).collect()),
            credentials: true,
            ..CorsOptions::default()
        }
    }

    #[test]
    fn credentials_for_any_origin_are_refused() {
        let options = CorsOptions {
            credentials: true,
            ..CorsOptions::default()
        };
        assert_eq!(
            Cors::new(options).unwrap_err(),
            CorsError::CredentialsForAnyOrigin
        );
        assert!(Cors::new(CorsOptions::default()).is_ok());
        assert!(Cors::new(list(&["https://a.test"])).is_ok());
    }

    #[test]
    fn an_origin_that_could_never_match_is_refused() {
        for origin in [
            "",
            "*",
            "a.test",
            "https://",
            "https://a.test/",
            "https://*.a.test",
            "https://a.test,https://b.test",
            "https://a.test\r\nx: y",
            "https://ä.test",
        ] {
            let expected = CorsError::InvalidOrigin(origin.to_owned());
            assert_eq!(
                Cors::new(list(&["https://a.test", origin])).unwrap_err(),
                expected
            );
        }
        assert!(Cors::new(list(&["null", "http://[::1]:80", "app+x://a:1"])).is_ok());
    }

    #[test]
    fn a_name_that_is_no_token_is_refused() {
        for name in ["", "x y", "x\r\n", "x,y", "ä"] {
            let bad = || vec!["X-Good".to_owned(), name.to_owned()];
            let expected = CorsError::InvalidName(name.to_owned());
            for options in [
                CorsOptions {
                    methods: bad(),
                    ..CorsOptions::default()
                },
                CorsOptions {
                    allowed_headers: Some(bad()),
                    ..CorsOptions::default()
                },
                CorsOptions {
                    exposed_headers: bad(),
                    ..CorsOptions::default()
                },
            ] {
                assert_eq!(Cors::new(options).unwrap_err(), expected);
            }
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        let cors = Cors::new(list(&["https://a.test"])).unwrap();
        for (origin, expected) in [
            ("https://a.test", true),
            ("https://a.test.evil.test", false),
            ("http://a.test", false),
            ("null", false),
        ] {
            assert_eq!(cors.allows(origin), expected, "{origin}");
        }
        let cors = Cors::new(CorsOptions {
            origin: Origins::matching(|origin| origin.ends_with(".a.test")),
            ..CorsOptions::default()
        });
        let cors = cors.unwrap();
        assert!(cors.allows("https://x.a.test") && !cors.allows("https://a.test"));
    }
}
