//! `Handshake`: what a client said when it came: its request, and the auth payload of its CONNECT.

mod serial;

use std::{borrow::Cow, fmt, net::SocketAddr, str, sync::Arc, time::SystemTime};

use engineio::server::{RemoteAddr, Secure};
use http::{HeaderName, header, request::Parts};
use serde::{
    Deserializer,
    de::{DeserializeOwned, Visitor},
    forward_to_deserialize_any,
};

use crate::{args::surrogates, error::ArgsError};

/// What is known of how a client connected. Cheap to clone.
///
/// Everything but address and time is empty if [`Config::keep_handshake`](crate::Config::keep_handshake) is off.
#[derive(Clone)]
pub struct Handshake {
    pub(crate) request: Arc<HandshakeRequest>,
    pub(crate) auth: Option<Arc<str>>,
}

/// The first request of a session, shared by its sockets, in as few allocations as there are parts.
pub(crate) struct HandshakeRequest {
    url: Box<str>,
    /// Lines of `name:value`, since a map of headers costs ten times as much and is hardly ever looked at.
    headers: Box<[u8]>,
    address: Option<SocketAddr>,
    is_secure: bool,
    time: SystemTime,
}

impl Handshake {
    /// The address of the peer, if the server that accepted the connection tells. Behind a proxy it is the proxy's.
    pub fn address(&self) -> Option<SocketAddr> {
        self.request.address
    }

    /// Path and query of the request.
    pub fn url(&self) -> &str {
        &self.request.url
    }

    /// A parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.request.url.split_once('?')?;
        let mut pairs = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .find(|(key, _)| percent_decode(key) == name)
            .map(|(_, value)| percent_decode(value))
    }

    /// The first header of this name, if it is text. Names are matched in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        str::from_utf8(value).ok()
    }

    /// The headers in order, but for those that only concern the connection itself.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.request
            .headers
            .split(|byte| *byte == b'\n')
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                Some((str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
            })
    }

    /// The auth payload of the CONNECT. A client that sent none is taken to have sent `{}`, which is `None` for an
    /// `Option`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        parse_auth(self.auth.as_deref())
    }

    /// When the session was opened.
    pub fn time(&self) -> SystemTime {
        self.request.time
    }

    /// Whether the request came over TLS, as far as the server itself knows.
    pub fn is_secure(&self) -> bool {
        self.request.is_secure
    }
}

impl fmt::Debug for Handshake {
    /// Without headers, query and auth, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl HandshakeRequest {
    /// Copies what is kept of a request.
    pub(crate) fn new(parts: &Parts, keep: bool) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the wall clock is what is asked for"
        )]
        let time = SystemTime::now();
        let url = parts.uri.path_and_query().map_or("", |url| url.as_str());
        let mut headers = Vec::new();
        for (name, value) in parts
            .headers
            .iter()
            .filter(|(name, _)| keep && is_kept(name))
        {
            headers.extend_from_slice(name.as_str().as_bytes());
            headers.push(b':');
            headers.extend_from_slice(value.as_bytes());
            headers.push(b'\n');
        }
        Self {
            url: if keep { url.into() } else { "".into() },
            headers: headers.into(),
            address: parts.extensions.get::<RemoteAddr>().map(|remote| remote.0),
            is_secure: parts.extensions.get::<Secure>().is_some()
                || parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS),
            time,
        }
    }
}

/// Headers of the connection and of WebSocket's handshake say nothing about the client.
fn is_kept(name: &HeaderName) -> bool {
    let dull = [
        header::CONNECTION,
        header::UPGRADE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ];
    !dull.contains(name) && !name.as_str().starts_with("sec-websocket-")
}

/// A query as an auth payload: an object of strings. Of a repeated name the last one counts. `None` for an empty query.
pub(crate) fn auth_of_query(query: &str) -> Option<Arc<str>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded = |(name, value)| (percent_decode(name), percent_decode(value).into());
    let object: serde_json::Map<_, _> = pairs.map(decoded).collect();
    (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string().into())
}

/// Decodes a part of a query. What is not an escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = if *first == b'%' {
            hex_pair(after)
        } else {
            None
        };
        rest = match escape {
            Some(byte) => {
                bytes.push(byte);
                &after[2..]
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Parses the auth payload, a JSON object, into the type that a middleware wants.
pub(crate) fn parse_auth<T: DeserializeOwned>(auth: Option<&str>) -> Result<T, ArgsError> {
    let parsed = T::deserialize(Auth(auth)).or_else(|error| match auth.map(surrogates::mend) {
        Some(Cow::Owned(mended)) => T::deserialize(Auth(Some(&mended))),
        _ => Err(error),
    });
    parsed.map_err(|error| ArgsError::Mismatch(error.to_string()))
}

/// `()` takes any payload, `Option` tells whether there is one, all other types get `{}` if there is none.
struct Auth<'de>(Option<&'de str>);

impl<'de> Deserializer<'de> for Auth<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        serde_json::Deserializer::from_str(self.0.unwrap_or("{}")).deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_some() {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        serde_json::Deserializer::from_str(self.0.unwrap_or("{}"))
            .deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    fn handshake(keep: bool) -> Handshake {
        let request = http::Request::builder()
            .uri("/socket.io/?EIO=4&na%6De=J%C3%BCrgen+K&flag&bad=%zz%2")
            .header("Cookie", "a=b:c")
            .header("X-Bytes", &b"\xff"[..])
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Key", "abc");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts
            .extensions
            .insert(RemoteAddr(([127, 0, 0, 1], 80).into()));
        Handshake {
            request: Arc::new(HandshakeRequest::new(&parts, keep)),
            auth: None,
        }
    }

    #[test]
    fn query_parameters_are_decoded() {
        let handshake = handshake(true);
        assert_eq!(handshake.query("EIO").as_deref(), Some("4"));
        assert_eq!(handshake.query("name").as_deref(), Some("Jürgen K"));
        assert_eq!(handshake.query("flag").as_deref(), Some(""));
        assert_eq!(handshake.query("bad").as_deref(), Some("%zz%2"));
        assert_eq!(handshake.query("none"), None);
    }

    #[test]
    fn a_query_becomes_an_auth_payload() {
        for (query, expected) in [
            ("", None),
            ("&", None),
            ("token=a", Some(json!({"token": "a"}))),
            (
                "a=1&b=%22x+y%22&a=2&&c&%C3%A9==&",
                Some(json!({"a": "2", "b": "\"x y\"", "c": "", "é": "="})),
            ),
        ] {
            let auth = auth_of_query(query).map(|auth| serde_json::from_str(&auth).unwrap());
            assert_eq!(auth, expected, "{query}");
        }
    }

    #[test]
    fn headers_are_kept_but_those_of_the_connection() {
        let handshake = handshake(true);
        let headers: Vec<_> = handshake.headers().collect();
        assert_eq!(
            headers,
            [("cookie", &b"a=b:c"[..]), ("x-bytes", &b"\xff"[..])]
        );
        assert_eq!(handshake.header("COOKIE"), Some("a=b:c"));
        assert_eq!(handshake.header("x-bytes"), None);
    }

    #[test]
    fn nothing_but_the_address_is_kept_if_so_configured() {
        let handshake = handshake(false);
        assert_eq!(handshake.headers().count(), 0);
        assert_eq!(handshake.url(), "");
        assert_eq!(handshake.address(), Some(([127, 0, 0, 1], 80).into()));
    }

    #[test]
    fn auth_fits_the_type_that_wants_it() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Login {
            token: String,
        }
        let sent = Some(r#"{"token":"t","more":1}"#);
        let login = || Login { token: "t".into() };
        assert_eq!(parse_auth::<Login>(sent), Ok(login()));
        assert_eq!(parse_auth::<Option<Login>>(sent), Ok(Some(login())));
        assert_eq!(parse_auth::<()>(sent), Ok(()));
        assert_eq!(
            parse_auth::<Value>(sent),
            Ok(json!({"token": "t", "more": 1}))
        );
        let cut = r#"{"token":"t","name":"\ud83d"}"#;
        assert_eq!(
            parse_auth::<Value>(Some(cut)),
            Ok(json!({"token": "t", "name": "\u{fffd}"}))
        );
        assert_eq!(parse_auth::<Option<Login>>(None), Ok(None));
        assert_eq!(parse_auth::<()>(None), Ok(()));
        assert_eq!(parse_auth::<Value>(None), Ok(json!({})));
        let error = parse_auth::<Login>(None).unwrap_err();
        assert!(
            error.to_string().contains("missing field `token`"),
            "{error}"
        );
        let error = parse_auth::<Option<Login>>(Some(r#"{"token":1}"#)).unwrap_err();
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
