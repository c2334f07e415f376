//! What a visitor's `auth` says: who it is, and from where it wants to read on.

use serde_json::Value;

use crate::people::{Identity, InvalidClientId};

/// A connection, as its `auth` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Who speaks.
    pub identity: Identity,
    /// From where it reads on.
    pub start: Start,
    /// `history`: how many of the last messages it wants to begin with, unless its cursor fits.
    pub history: Option<u64>,
}

/// From where a visitor reads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It has nothing: the last messages, then live.
    Recent,
    /// After this offset, of this epoch if it names one.
    After { offset: u64, epoch: Option<String> },
    /// What it says is no cursor at all; it has to be told.
    Invalid,
}

impl Visitor {
    /// Reads an `auth` of any shape. Only a `clientId` that is none is refused, as its owner counts on answers.
    pub fn from_auth(auth: &Value) -> Result<Self, InvalidClientId> {
        let identity = match auth.get("clientId") {
            None | Some(Value::Null) => Identity::Anonymous,
            Some(Value::String(client_id)) => Identity::of_client_id(client_id)?,
            Some(_) => return Err(InvalidClientId),
        };
        Ok(Self {
            identity,
            start: Start::from_auth(auth),
            history: auth.get("history").and_then(Value::as_u64),
        })
    }
}

impl Start {
    fn from_auth(auth: &Value) -> Self {
        let epoch = match auth.get("epoch") {
            None | Some(Value::Null) => None,
            Some(Value::String(epoch)) => Some(epoch.clone()),
            Some(_) => return Self::Invalid,
        };
        match auth.get("serverOffset") {
            None | Some(Value::Null) => Self::Recent,
            Some(offset) => offset
                .as_u64()
                .map_or(Self::Invalid, |offset| Self::After { offset, epoch }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn start(auth: Value) -> Start {
        Visitor::from_auth(&auth).unwrap().start
    }

    #[test]
    fn an_auth_of_any_shape_is_read() {
        for auth in [
            json!(null),
            json!(1),
            json!("x"),
            json!([1]),
            json!({}),
            json!({"other": {}}),
        ] {
            let expected = Visitor {
                identity: Identity::Anonymous,
                start: Start::Recent,
                history: None,
            };
            assert_eq!(Visitor::from_auth(&auth), Ok(expected), "{auth}");
        }
    }

    #[test]
    fn a_cursor_is_a_whole_number_of_an_epoch() {
        assert_eq!(
            start(json!({"serverOffset": 0})),
            Start::After {
                offset: 0,
                epoch: None
            }
        );
        let epoch = Some("e".to_owned());
        assert_eq!(
            start(json!({"serverOffset": 7, "epoch": "e"})),
            Start::After { offset: 7, epoch }
        );
        for cursor in [
            json!("7"),
            json!(-1),
            json!(1.5),
            json!({}),
            json!([]),
            json!(true),
            json!(1e300),
        ] {
            assert_eq!(
                start(json!({"serverOffset": cursor})),
                Start::Invalid,
                "{cursor}"
            );
        }
        assert_eq!(
            start(json!({"serverOffset": 7, "epoch": 3})),
            Start::Invalid
        );
    }

    #[test]
    fn only_a_client_id_that_is_none_is_refused() {
        for client_id in [
            json!("short"),
            json!(1),
            json!({}),
            json!(["0123456789abcdef"]),
        ] {
            assert_eq!(
                Visitor::from_auth(&json!({"clientId": client_id})),
                Err(InvalidClientId),
                "{client_id}"
            );
        }
        assert!(
            Visitor::from_auth(&json!({"clientId": "0123456789abcdef"}))
                .unwrap()
                .identity
                .is_proved()
        );
    }
}
