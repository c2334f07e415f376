//! What happened, as everybody saw it: entries in order of arrival, one line of JSON each.

use std::io::{self, BufRead, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock;

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in microseconds. Taken before an invocation leaves and after its result has come.
    pub t: u64,
    /// Who says so.
    pub proc: String,
    pub op: Op,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub value: Facts,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// A message from the moment it is first handed to a connection until its author knows what became of it. One that
    /// the server has to refuse is called `invalid` from the beginning.
    Send,
    /// One attempt of it. `fail`: it was refused for the moment. `info`: it will not be answered any more.
    Try,
    /// An attempt after the answer, by an author that has forgotten it. `fail`: it was refused, for whatever reason.
    Again,
    /// A reader connects, with the offset it has everything up to and the epoch of that; `info` if it leaves for good.
    Subscribe,
    /// A reader is given a message.
    Receive,
    /// A client is told that its cursor means nothing here: the epoch, and from where to where it goes.
    Resync,
    /// A client is told the name of this history.
    Epoch,
    /// A row of the database file, read when all was over.
    Row,
    /// The server is started.
    Start,
    /// Something is done to the server, the disk or the network: `invoke` and `ok` when it begins and is over, or `info`
    /// where it has no length.
    Fault,
    /// The last fault is over.
    Heal,
    /// The server is told, by its command line, to keep so many of the newest messages.
    Keep,
    /// The database is set back. `invoke`: to this offset of this epoch, before the server starts on it; `ok`: what the
    /// epoch is called since.
    Restore,
}

/// What an entry says of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Invoke,
    Ok,
    Fail,
    /// The outcome is not known, or there is none.
    Info,
}

/// The value of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The oldest offset that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<u32>,
    /// Which message of its author it is, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The error of an answer, or which fault it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

impl Facts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn what(what: impl Into<String>) -> Self {
        Self {
            what: Some(what.into()),
            ..Self::default()
        }
    }

    pub fn offset(offset: u64) -> Self {
        Self {
            offset: Some(offset),
            ..Self::default()
        }
    }
}

/// Where everybody writes what happens to them.
#[derive(Debug, Default)]
pub struct Recorder {
    // Held for one push.
    entries: Mutex<Vec<Entry>>,
}

impl Recorder {
    pub fn note(&self, proc: &str, op: Op, kind: Kind, key: Option<&str>, value: Facts) {
        self.push(Entry {
            t: clock::now(),
            proc: proc.to_owned(),
            op,
            kind,
            key: key.map(str::to_owned),
            value,
        });
    }

    /// Notes what another process has dated.
    pub fn push(&self, entry: Entry) {
        self.entries().push(entry);
    }

    pub fn len(&self) -> usize {
        self.entries().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries so far.
    pub fn snapshot(&self) -> Vec<Entry> {
        self.entries().clone()
    }

    /// Shows the entries from `from` on.
    pub fn visit_from(&self, from: usize, visit: impl FnMut(&Entry)) {
        let entries = self.entries();
        entries
            .get(from..)
            .unwrap_or_default()
            .iter()
            .for_each(visit);
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn write(entries: &[Entry], mut to: impl Write) -> io::Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut to, entry)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

pub fn read(from: impl BufRead) -> io::Result<Vec<Entry>> {
    from.lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_that_can_be_read_again() {
        let entry = Entry {
            t: 12,
            proc: "w1".to_owned(),
            op: Op::Send,
            kind: Kind::Ok,
            key: Some("w1-0".to_owned()),
            value: Facts {
                duplicate: Some(false),
                ..Facts::offset(7)
            },
        };
        let mut lines = Vec::new();
        write(std::slice::from_ref(&entry), &mut lines).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&lines),
            "{\"t\":12,\"proc\":\"w1\",\"op\":\"send\",\"type\":\"ok\",\"key\":\"w1-0\",\
             \"value\":{\"offset\":7,\"duplicate\":false}}\n"
        );
        assert_eq!(read(&lines[..]).unwrap(), [entry]);
    }
}
