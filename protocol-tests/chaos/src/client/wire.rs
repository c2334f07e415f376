//! The text of Engine.IO and Socket.IO packets, as far as the chat needs it: text only, the main namespace only.

use serde_json::Value;

/// A packet of Engine.IO.
#[derive(Debug, PartialEq, Eq)]
pub enum Engine<'a> {
    Open(&'a str),
    Close,
    Ping,
    /// The answer to a probe.
    Pong(&'a str),
    Message(&'a str),
    Noop,
}

/// A packet of Socket.IO.
#[derive(Debug, PartialEq)]
pub enum Packet {
    Connected,
    Disconnected,
    Event(Vec<Value>),
    Ack(u64, Vec<Value>),
    Refused(Value),
}

impl<'a> Engine<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.get(1..)?;
        Some(match text.as_bytes()[0] {
            b'0' => Self::Open(rest),
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong(rest),
            b'4' => Self::Message(rest),
            b'6' => Self::Noop,
            _ => return None,
        })
    }
}

impl Packet {
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.get(1..)?;
        Some(match text.as_bytes()[0] {
            b'0' => Self::Connected,
            b'1' => Self::Disconnected,
            b'2' => Self::Event(serde_json::from_str(rest).ok()?),
            b'3' => {
                let digits = rest.find(|c: char| !c.is_ascii_digit())?;
                let (id, arguments) = rest.split_at(digits);
                Self::Ack(id.parse().ok()?, serde_json::from_str(arguments).ok()?)
            }
            b'4' => Self::Refused(serde_json::from_str(rest).ok()?),
            _ => return None,
        })
    }
}

/// The packet that joins the main namespace.
pub fn connect(auth: &Value) -> String {
    format!("0{auth}")
}

/// An event that asks for an answer.
pub fn event(id: u64, arguments: &Value) -> String {
    format!("2{id}{arguments}")
}

/// The session id in the data of an open packet.
pub fn sid(open: &str) -> Option<String> {
    let open: Value = serde_json::from_str(open).ok()?;
    open.get("sid")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packets_are_read() {
        assert_eq!(Engine::parse("3probe"), Some(Engine::Pong("probe")));
        assert_eq!(Engine::parse("42[]"), Some(Engine::Message("2[]")));
        assert_eq!(Engine::parse(""), None);
        assert_eq!(Packet::parse("0{\"sid\":\"x\"}"), Some(Packet::Connected));
        assert_eq!(
            Packet::parse("2[\"a\",1]"),
            Some(Packet::Event(vec![json!("a"), json!(1)]))
        );
        assert_eq!(
            Packet::parse("312[true]"),
            Some(Packet::Ack(12, vec![json!(true)]))
        );
        assert_eq!(
            Packet::parse("4{\"message\":\"no\"}"),
            Some(Packet::Refused(json!({"message": "no"})))
        );
        for broken in ["", "2", "2[", "3[]", "35", "9"] {
            assert_eq!(Packet::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn packets_are_written() {
        assert_eq!(connect(&json!({"a": 1})), "0{\"a\":1}");
        assert_eq!(event(7, &json!(["say", "hi"])), "27[\"say\",\"hi\"]");
        assert_eq!(
            sid("{\"sid\":\"abc\",\"upgrades\":[]}"),
            Some("abc".to_owned())
        );
    }
}
