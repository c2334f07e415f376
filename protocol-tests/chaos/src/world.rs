//! What all who take part in a run share.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::sync::watch;

use crate::history::{Facts, Kind, Op, Recorder};
use crate::rng::Rng;

/// A run, as its clients see it.
pub struct World {
    pub seed: u64,
    pub contract: Contract,
    /// Where the server is, by way of the proxy.
    pub proxy: SocketAddr,
    pub history: Recorder,
    pub phase: watch::Sender<Phase>,
}

/// What a server says to those who send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Contract {
    /// As in `crates/chat-app/src/chat.rs`: answers with offsets, refusals, epochs.
    Chat,
    /// As in the official tutorial: an answer without a word means that the message is stored.
    Tutorial,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Faults happen, and writers write.
    Storm,
    /// The last fault is over: writers get rid of what they have, readers read.
    Drain,
    /// Everybody stops.
    Done,
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

impl World {
    pub fn rng(&self, part: &str) -> Rng {
        Rng::of(self.seed, part)
    }

    pub fn note(&self, proc: &str, op: Op, kind: Kind, key: Option<&str>, value: Facts) {
        self.history.note(proc, op, kind, key, value);
    }

    /// The secret by which the server knows an author or a reader.
    pub fn client_id(&self, name: &str) -> Option<String> {
        (self.contract == Contract::Chat).then(|| format!("chaos-{:016x}-{name}", self.seed))
    }

    /// What a message is called on the wire. Where keys are the author's own, all authors use the same.
    pub fn wire_key(&self, key: &str) -> String {
        match (self.contract, key.rsplit_once('-')) {
            (Contract::Chat, Some((_, seq))) => format!("m-{seq}"),
            _ => key.to_owned(),
        }
    }
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
