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
    /// After this offset, of this epoch if it names one, where it has this message if it says so.
    After {
        offset: u64,
        epoch: Option<String>,
        last: Option<Last>,
    },
    /// What it says is no cursor at all; it has to be told.
    Invalid,
}

/// The last message a visitor has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Its `clientOffset`.
    pub key: String,
    /// Its `at`.
    pub at: i64,
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
        let last = match auth.get("last") {
            None | Some(Value::Null) => None,
            Some(last) => match Last::from_json(last) {
                Some(last) => Some(last),
                None => return Self::Invalid,
            },
        };
        match auth.get("serverOffset") {
            None | Some(Value::Null) => Self::Recent,
            Some(offset) => offset.as_u64().map_or(Self::Invalid, |offset| Self::After {
                offset,
                epoch,
                last,
            }),
        }
    }
}

impl Last {
    fn from_json(last: &Value) -> Option<Self> {
        let key = last.get("clientOffset")?.as_str()?.to_owned();
        let at = last.get("at")?.as_i64()?;
        Some(Self { key, at })
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
                epoch: None,
                last: None
            }
        );
        let epoch = Some("e".to_owned());
        assert_eq!(
            start(json!({"serverOffset": 7, "epoch": "e"})),
            Start::After {
                offset: 7,
                epoch,
                last: None
            }
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
    fn what_was_seen_last_is_named_by_its_key_and_its_time() {
        let of = |last| start(json!({"serverOffset": 7, "last": last}));
        let expected = |last| Start::After {
            offset: 7,
            epoch: None,
            last,
        };
        assert_eq!(of(json!(null)), expected(None));
        let last = Some(Last {
            key: "a-1".to_owned(),
            at: 5,
        });
        assert_eq!(of(json!({"clientOffset": "a-1", "at": 5})), expected(last));
        for last in [
            json!("a-1"),
            json!({}),
            json!({"clientOffset": "a-1"}),
            json!({"clientOffset": 1, "at": 5}),
            json!({"clientOffset": "a-1", "at": "5"}),
            json!({"clientOffset": "a-1", "at": 1e30}),
        ] {
            assert_eq!(of(last.clone()), Start::Invalid, "{last}");
        }
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
