//! A handshake that travels: what a node tells another of how a client connected.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Handshake, HandshakeRequest};

#[derive(Serialize, Deserialize)]
struct Serial<'a> {
    url: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    address: Option<SocketAddr>,
    secure: bool,
    /// In milliseconds since 1970.
    issued: u64,
    /// JSON.
    auth: Option<Cow<'a, str>>,
}

impl Serialize for Handshake {
    /// Whole, but for bytes of headers that are no text, and parts of a millisecond.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let since = self.time().duration_since(SystemTime::UNIX_EPOCH);
        let headers = self.headers();
        Serial {
            url: self.url().into(),
            headers: headers
                .map(|(name, value)| (name.into(), String::from_utf8_lossy(value)))
                .collect(),
            address: self.address(),
            secure: self.is_secure(),
            issued: since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX)),
            auth: self.auth.as_deref().map(Into::into),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Handshake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let serial = Serial::deserialize(deserializer)?;
        let mut headers = String::new();
        for (name, value) in &serial.headers {
            if name.contains([':', '\n']) || value.contains('\n') {
                return Err(de::Error::custom("header with a line break or a colon"));
            }
            headers.extend([name, ":", value, "\n"]);
        }
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(serial.issued));
        let request = HandshakeRequest {
            url: serial.url.into(),
            headers: headers.into_bytes().into(),
            address: serial.address,
            is_secure: serial.secure,
            time: time.ok_or_else(|| de::Error::custom("time out of range"))?,
        };
        Ok(Self {
            request: Arc::new(request),
            auth: serial.auth.map(|auth| auth.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_handshake_arrives_as_it_left() {
        let request = Request::builder()
            .uri("/socket.io/?EIO=4&a=b")
            .header("Cookie", "a=b:c")
            .header("X-Bytes", &b"\xff"[..]);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let sent = Handshake {
            request: Arc::new(HandshakeRequest::new(&parts, true)),
            auth: Some(r#"{"token":"t"}"#.into()),
        };
        let text = serde_json::to_string(&sent).unwrap();
        let arrived: Handshake = serde_json::from_str(&text).unwrap();
        assert_eq!(arrived.query("a").as_deref(), Some("b"));
        assert_eq!(arrived.header("cookie"), Some("a=b:c"));
        assert_eq!(arrived.header("x-bytes"), Some("\u{fffd}"));
        assert_eq!(arrived.auth::<Value>(), Ok(json!({"token": "t"})));
        assert_eq!((arrived.address(), arrived.is_secure()), (None, false));
        let lost = sent.time().duration_since(arrived.time()).unwrap();
        assert!(lost < Duration::from_millis(1), "{lost:?}");
    }

    #[test]
    fn headers_do_not_run_into_each_other() {
        for header in [["a:b", "c"], ["a\nb", "c"], ["a", "b\nc:d"]] {
            let text = json!({
                "url": "/", "headers": [header], "address": null, "secure": false, "issued": 0, "auth": null,
            });
            assert!(
                serde_json::from_value::<Handshake>(text).is_err(),
                "{header:?}"
            );
        }
    }
}
