//! What a server answers to those who send, and what that means to the author of a message.

use serde_json::Value;

use crate::history::Facts;

/// What a server says to those who send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Contract {
    /// As in `crates/chat-app/src/chat.rs`: answers with offsets, refusals, epochs.
    Chat,
    /// As in the official tutorial: an answer without a word means that the message is stored.
    Tutorial,
}

/// What an answer means to the author of a message.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Stored(Facts),
    /// For good.
    Refused(String),
    /// To be tried again.
    Later(String),
}

impl Answer {
    pub fn read(contract: Contract, arguments: &[Value]) -> Self {
        if contract == Contract::Tutorial {
            return Self::Stored(Facts::default());
        }
        let answer = arguments.first().unwrap_or(&Value::Null);
        let text = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (
            text("error").as_deref(),
            answer.get("offset").and_then(Value::as_u64),
        ) {
            (Some(error @ ("invalid" | "conflict")), _) => Self::Refused(error.to_owned()),
            (Some(error), _) => Self::Later(error.to_owned()),
            (None, Some(offset)) => Self::Stored(Facts {
                duplicate: answer.get("duplicate").and_then(Value::as_bool),
                epoch: text("epoch"),
                ..Facts::offset(offset)
            }),
            (None, None) => Self::Later(format!("an answer that says nothing: {answer}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_says_whether_to_stop_to_go_on_or_to_try_again() {
        let read = |answer| Answer::read(Contract::Chat, &[answer]);
        let stored = read(json!({"offset": 3, "epoch": "e", "duplicate": true}));
        let expected = Facts {
            duplicate: Some(true),
            epoch: Some("e".to_owned()),
            ..Facts::offset(3)
        };
        assert_eq!(stored, Answer::Stored(expected));
        assert_eq!(
            read(json!({"error": "conflict", "message": ""})),
            Answer::Refused("conflict".to_owned())
        );
        assert_eq!(
            read(json!({"error": "busy", "message": ""})),
            Answer::Later("busy".to_owned())
        );
        assert!(matches!(read(json!({})), Answer::Later(_)));
        assert_eq!(
            Answer::read(Contract::Tutorial, &[]),
            Answer::Stored(Facts::default())
        );
    }
}
