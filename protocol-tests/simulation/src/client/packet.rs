//! Packets of Socket.IO as a client of the chat writes and reads them.

use serde_json::Value;

/// What the server says.
#[derive(Debug, PartialEq)]
pub enum Packet {
    /// With the name by which the client may come back as the same, if that is possible here.
    Connected(Option<String>),
    Refused(String),
    Disconnected,
    Event(Vec<Value>),
    Answer(u64, Vec<Value>),
}

/// The packet that asks to be let in.
pub fn connect(auth: &Value) -> String {
    format!("0{auth}")
}

/// An event that wants an answer.
pub fn event(id: u64, arguments: &Value) -> String {
    format!("2{id}{arguments}")
}

impl Packet {
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (kind, rest) = text.split_at_checked(1)?;
        Some(match kind {
            "0" => {
                let reply: Value = serde_json::from_str(rest).ok()?;
                let pid = reply.get("pid").and_then(Value::as_str);
                Self::Connected(pid.map(str::to_owned))
            }
            "1" => Self::Disconnected,
            "2" => Self::Event(serde_json::from_str(rest).ok()?),
            "3" => {
                let start = rest.find('[')?;
                let id = rest[..start].parse().ok()?;
                Self::Answer(id, serde_json::from_str(&rest[start..]).ok()?)
            }
            "4" => Self::Refused(rest.to_owned()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_says_is_read() {
        let answer = Packet::Answer(12, vec![json!({"offset": 3})]);
        assert_eq!(Packet::read(b"312[{\"offset\":3}]"), Some(answer));
        assert_eq!(
            Packet::read(b"0{\"sid\":\"x\",\"pid\":\"y\"}"),
            Some(Packet::Connected(Some("y".to_owned())))
        );
        assert_eq!(
            Packet::read(b"2[\"a\",1]"),
            Some(Packet::Event(vec![json!("a"), json!(1)]))
        );
        assert_eq!(Packet::read(b"9"), None);
    }
}
