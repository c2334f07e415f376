//! Packets about being in a namespace: the answers to CONNECT, and DISCONNECT.

use super::Frames;
use crate::{
    error::ConnectError,
    packet::PacketType,
    parser::{Outgoing, Parser},
    recovery::Pid,
};

/// The answer to a CONNECT that was accepted.
pub fn connect(parser: Option<&dyn Parser>, namespace: &str, sid: &str) -> Frames {
    // Ids are made of letters that JSON does not escape.
    let data = format!(r#"{{"sid":"{sid}"}}"#);
    about_namespace(PacketType::Connect, namespace, &data).frames(parser)
}

/// The answer to a CONNECT that was accepted, with the name under which the client may come back.
pub fn connect_with_pid(
    parser: Option<&dyn Parser>,
    namespace: &str,
    sid: &str,
    pid: &Pid,
) -> Frames {
    let data = format!(r#"{{"sid":"{sid}","pid":"{}"}}"#, pid.as_str());
    about_namespace(PacketType::Connect, namespace, &data).frames(parser)
}

/// The same for a client 2, which makes its id by itself.
pub fn connect_2(parser: Option<&dyn Parser>, namespace: &str) -> Frames {
    about_namespace(PacketType::Connect, namespace, "").frames(parser)
}

/// The answer to a CONNECT that was refused.
pub fn connect_error(parser: Option<&dyn Parser>, namespace: &str, error: &ConnectError) -> Frames {
    // Only strings and JSON values are in it, and those always serialize.
    let data = serde_json::to_string(error).unwrap_or_else(|_| "{}".to_owned());
    about_namespace(PacketType::ConnectError, namespace, &data).frames(parser)
}

/// The same for a client 2: as in the reference the data alone, if it is anything that JavaScript takes for true, and
/// otherwise the message.
pub fn connect_error_2(
    parser: Option<&dyn Parser>,
    namespace: &str,
    error: &ConnectError,
) -> Frames {
    let data = error.data.as_ref().filter(|data| is_truthy(data));
    // As above.
    let data = match data {
        Some(data) => data.to_string(),
        None => serde_json::Value::from(&*error.message).to_string(),
    };
    about_namespace(PacketType::ConnectError, namespace, &data).frames(parser)
}

fn is_truthy(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => false,
        serde_json::Value::Bool(value) => *value,
        serde_json::Value::Number(number) => number.as_f64() != Some(0.0),
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => true,
    }
}

/// Leaves a namespace.
pub fn disconnect(parser: Option<&dyn Parser>, namespace: &str) -> Frames {
    about_namespace(PacketType::Disconnect, namespace, "").frames(parser)
}

fn about_namespace<'a>(packet_type: PacketType, namespace: &'a str, data: &'a str) -> Outgoing<'a> {
    Outgoing {
        packet_type,
        namespace,
        id: None,
        data,
        attachments: &[],
    }
}
