//! The handshake: a query string parsed to a `Query`, the errors a request can earn, and the open packet.
//!
//! See the protocol's section "Handshake". Query values are parsed once into closed enums, so that no text of a
//! peer is ever looked up anywhere.

use bytes::Bytes;

use crate::{
    config::Config,
    dialect::{Dialect, Protocol},
    jsonp::Jsonp,
    packet::Frame,
    sid::Sid,
};

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling: GET to receive, POST to send.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// Why a request was refused, with the official code and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Code 0: no such transport, or it is switched off.
    #[error("Transport unknown")]
    UnknownTransport,
    /// Code 1: no session with that id.
    #[error("Session ID unknown")]
    UnknownSid,
    /// Code 2: a handshake that is not a GET.
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    /// Code 3: the request does not fit the session's state, or is no proper WebSocket request.
    #[error("Bad request")]
    BadRequest,
    /// Code 4: the server takes no more sessions at the moment.
    #[error("Service unavailable")]
    Unavailable,
    /// Code 4: not from this origin, or not in the application's eyes.
    #[error("Forbidden")]
    Forbidden,
    /// Code 5: a version of the protocol that is not spoken here.
    #[error("Unsupported protocol version")]
    UnsupportedProtocolVersion,
}

impl HandshakeError {
    /// The official code.
    pub fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Unavailable | Self::Forbidden => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    /// The HTTP status of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::Forbidden => 403,
            _ => 400,
        }
    }
}

/// What the query string of a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// `transport`.
    pub transport: Transport,
    /// What `EIO` and `b64` say. As in the reference anything but 4 is meant for protocol 3, also nothing at all.
    pub dialect: Dialect,
    /// `j` on long-polling, which asks for JSONP.
    pub jsonp: Option<Jsonp>,
    /// `sid`, absent in a handshake. One that cannot be ours is reported as unknown, as any other.
    pub sid: Option<Result<Sid, HandshakeError>>,
}

impl Query {
    /// Parses a query string in one pass. Of a repeated key the last one counts; unknown keys mean nothing.
    pub fn parse(query: &str, config: &Config) -> Result<Self, HandshakeError> {
        let mut transport = Err(HandshakeError::UnknownTransport);
        let mut dialect = Dialect {
            protocol: Protocol::V3,
            base64: false,
        };
        let mut jsonp = None;
        let mut sid = None;
        for_each_pair(query, |key, value| match key {
            "transport" => {
                let mut offered = config.transports.iter().copied();
                transport = offered
                    .find(|transport| transport.as_str() == value)
                    .ok_or(HandshakeError::UnknownTransport);
            }
            "EIO" if value == "4" => dialect.protocol = Protocol::V4,
            "EIO" => dialect.protocol = Protocol::V3,
            "b64" => dialect.base64 = !value.is_empty(),
            "j" => jsonp = Some(Jsonp::parse(value).ok_or(HandshakeError::BadRequest)),
            "sid" if value.is_empty() => sid = None,
            "sid" => sid = Some(value.parse().map_err(|_| HandshakeError::UnknownSid)),
            _ => {}
        });
        let transport = transport?;
        Ok(Self {
            transport,
            dialect,
            jsonp: match transport {
                Transport::Polling => jsonp.transpose()?,
                Transport::WebSocket => None,
            },
            sid,
        })
    }
}

/// The pairs of a query string, decoded. Those of clients need no decoding, as their keys and ids are plain letters, and
/// decoding is what takes the time.
fn for_each_pair(query: &str, mut pair: impl FnMut(&str, &str)) {
    if query.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        form_urlencoded::parse(query.as_bytes()).for_each(|(key, value)| pair(&key, &value));
        return;
    }
    // Searching for a character is made for longer texts than these.
    let find = |text: &str, sought: u8| text.bytes().position(|byte| byte == sought);
    let mut rest = query;
    while !rest.is_empty() {
        let end = find(rest, b'&').unwrap_or(rest.len());
        let part = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or("");
        match find(part, b'=') {
            Some(equals) => pair(&part[..equals], &part[equals + 1..]),
            None if part.is_empty() => {}
            None => pair(part, ""),
        }
    }
}

/// The open packet, alike in both versions of the protocol: the session's id, what it may upgrade to, and what the client
/// must know of the heartbeat.
pub(crate) fn open_packet(sid: Sid, transport: Transport, config: &Config) -> Frame {
    let is_offered = config.allow_upgrades && config.transports.contains(&Transport::WebSocket);
    let upgrades = match transport {
        Transport::Polling if is_offered => r#"["websocket"]"#,
        _ => "[]",
    };
    Frame::Text(Bytes::from(format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        config.ping_interval.as_millis(),
        config.ping_timeout.as_millis(),
        config.max_payload,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, HandshakeError> {
        Query::parse(query, &Config::default())
    }

    fn sid() -> Sid {
        "abcdefghijklmnopqrst".parse().unwrap()
    }

    #[test]
    fn parses_in_any_order_and_the_last_one_counts() {
        let expected = Query {
            transport: Transport::WebSocket,
            dialect: Dialect::V4,
            jsonp: None,
            sid: Some(Ok(sid())),
        };
        assert_eq!(
            parse("EIO=4&transport=websocket&sid=abcdefghijklmnopqrst"),
            Ok(expected.clone())
        );
        assert_eq!(
            parse(
                "t=x&sid=abcdefghijklmnopqrst&transport=polling&EIO=3&transport=websocket&EIO=4&constructor"
            ),
            Ok(expected.clone())
        );
        assert_eq!(
            parse("E%49O=%34&transport=w%65bsocket&sid=%61bcdefghijklmnopqrst"),
            Ok(expected)
        );
    }

    /// The slow way for all: decode everything.
    #[test]
    fn plain_and_escaped_pairs_are_read_alike() {
        let mut queries = vec![String::new()];
        for _ in 0..5 {
            let longer = queries
                .iter()
                .flat_map(|query| "a2%+=&é".chars().map(move |next| format!("{query}{next}")));
            queries = longer.collect();
            for query in &queries {
                let mut pairs = Vec::new();
                for_each_pair(query, |key, value| {
                    pairs.push((key.to_owned(), value.to_owned()))
                });
                let decoded = form_urlencoded::parse(query.as_bytes());
                assert_eq!(pairs, decoded.into_owned().collect::<Vec<_>>(), "{query}");
            }
        }
    }

    #[test]
    fn anything_but_version_4_is_meant_for_version_3() {
        let dialect = |query: &str| {
            let dialect = parse(&format!("transport=polling&{query}"))
                .unwrap()
                .dialect;
            (dialect.protocol, dialect.base64)
        };
        for query in ["", "EIO=3", "EIO=", "EIO=04", "EIO=5", "EIO=4&EIO=3"] {
            assert_eq!(dialect(query), (Protocol::V3, false), "{query}");
        }
        assert_eq!(dialect("EIO=3&b64=1"), (Protocol::V3, true));
        assert_eq!(dialect("EIO=3&b64="), (Protocol::V3, false));
        assert_eq!(dialect("EIO=4&b64=true"), (Protocol::V4, true));
    }

    #[test]
    fn a_callback_is_a_number_and_a_matter_of_long_polling() {
        let jsonp = |query: &str| parse(query).map(|query| query.jsonp);
        assert_eq!(jsonp("transport=polling"), Ok(None));
        assert_eq!(jsonp("transport=polling&j=4"), Ok(Jsonp::parse("4")));
        assert_eq!(
            jsonp("transport=polling&j="),
            Err(HandshakeError::BadRequest)
        );
        assert_eq!(jsonp("transport=websocket&j="), Ok(None));
        assert_eq!(jsonp("j="), Err(HandshakeError::UnknownTransport));
    }

    #[test]
    fn an_empty_sid_is_a_handshake() {
        assert_eq!(parse("EIO=4&transport=polling&sid=").unwrap().sid, None);
    }

    #[test]
    fn unknown_transports_are_refused() {
        for query in [
            "",
            "EIO=4",
            "transport=constructor",
            "transport=__proto__",
            "transport=webtransport",
            "transport=",
        ] {
            assert_eq!(
                parse(query),
                Err(HandshakeError::UnknownTransport),
                "{query}"
            );
        }
        let config = Config {
            transports: vec![Transport::WebSocket],
            ..Config::default()
        };
        assert_eq!(
            Query::parse("transport=polling", &config),
            Err(HandshakeError::UnknownTransport)
        );
    }

    #[test]
    fn a_sid_that_cannot_be_ours_is_unknown() {
        let long = "a".repeat(129);
        for sid in ["%", "%zz", "%ff", "a/b", "a b", "%e2%82%ac", &long] {
            let query = parse(&format!("transport=polling&EIO=4&sid={sid}")).unwrap();
            assert_eq!(query.sid, Some(Err(HandshakeError::UnknownSid)), "{sid}");
        }
    }

    #[test]
    fn open_packet_has_the_official_form() {
        let config = Config::default();
        let Frame::Text(text) = open_packet(sid(), Transport::Polling, &config) else {
            panic!("not text")
        };
        assert_eq!(
            text,
            r#"0{"sid":"abcdefghijklmnopqrst","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        for config in [
            Config {
                allow_upgrades: false,
                ..config.clone()
            },
            Config {
                transports: vec![Transport::Polling],
                ..config.clone()
            },
        ] {
            let frame = open_packet(sid(), Transport::Polling, &config);
            assert!(
                std::str::from_utf8(frame.bytes())
                    .unwrap()
                    .contains(r#""upgrades":[]"#)
            );
        }
        let frame = open_packet(sid(), Transport::WebSocket, &config);
        assert!(
            std::str::from_utf8(frame.bytes())
                .unwrap()
                .contains(r#""upgrades":[]"#)
        );
    }
}
