//! A history by message, by row and by reader.

use std::collections::{BTreeMap, HashMap};

use super::FINAL;
use crate::history::{Entry, Kind, Op};

/// The history, sorted into what the checks ask for. Indices are those of the history.
pub struct View<'a> {
    pub entries: &'a [Entry],
    pub messages: BTreeMap<&'a str, Message<'a>>,
    /// Outcomes and attempts of messages that were never handed over.
    pub strays: Vec<usize>,
    /// What is stored, in the order of offsets.
    pub rows: Vec<Row<'a>>,
    /// Where in `rows` a message first stands.
    pub by_key: HashMap<&'a str, usize>,
    /// Where in `rows` an offset first stands.
    pub by_offset: HashMap<u64, usize>,
    /// What each reader did and was given, in its order.
    pub readers: BTreeMap<&'a str, Vec<usize>>,
    /// When the last fault was over.
    pub healed: Option<u64>,
}

/// What happened to one message.
#[derive(Default)]
pub struct Message<'a> {
    pub author: &'a str,
    pub seq: Option<u64>,
    pub hash: Option<u32>,
    pub sent: Vec<usize>,
    pub tries: Vec<usize>,
    pub outcomes: Vec<usize>,
    /// Answers to attempts made after the first answer.
    pub again: Vec<usize>,
}

pub struct Row<'a> {
    pub index: usize,
    pub offset: u64,
    pub key: &'a str,
    pub hash: Option<u32>,
}

impl<'a> View<'a> {
    pub fn new(entries: &'a [Entry]) -> Self {
        let mut view = Self {
            entries,
            messages: BTreeMap::new(),
            strays: Vec::new(),
            rows: Vec::new(),
            by_key: HashMap::new(),
            by_offset: HashMap::new(),
            readers: BTreeMap::new(),
            healed: None,
        };
        let has_rows = entries.iter().any(|entry| entry.op == Op::Row);
        for (index, entry) in entries.iter().enumerate() {
            match entry.op {
                Op::Send | Op::Try | Op::Again => view.take_sending(index, entry),
                Op::Subscribe | Op::Receive | Op::Resync => {
                    view.readers.entry(&entry.proc).or_default().push(index);
                    if entry.op == Op::Receive && entry.proc == FINAL && !has_rows {
                        view.take_row(index, entry);
                    }
                }
                Op::Row => view.take_row(index, entry),
                Op::Heal => view.healed = Some(entry.t),
                Op::Epoch | Op::Start | Op::Fault => {}
            }
        }
        view.rows.sort_by_key(|row| row.offset);
        for (place, row) in view.rows.iter().enumerate() {
            view.by_key.entry(row.key).or_insert(place);
            view.by_offset.entry(row.offset).or_insert(place);
        }
        view
    }

    fn take_sending(&mut self, index: usize, entry: &'a Entry) {
        let key = entry.key.as_deref().unwrap_or_default();
        if (entry.op, entry.kind) == (Op::Send, Kind::Invoke) {
            let message = self.messages.entry(key).or_default();
            message.author = &entry.proc;
            message.seq = entry.value.seq;
            message.hash = entry.value.hash;
            message.sent.push(index);
            return;
        }
        let Some(message) = self.messages.get_mut(key) else {
            return self.strays.push(index);
        };
        match (entry.op, entry.kind) {
            (Op::Send, _) => message.outcomes.push(index),
            (Op::Try, Kind::Invoke) => message.tries.push(index),
            (Op::Again, Kind::Ok) => message.again.push(index),
            _ => {}
        }
    }

    fn take_row(&mut self, index: usize, entry: &'a Entry) {
        self.rows.push(Row {
            index,
            offset: entry.value.offset.unwrap_or(0),
            key: entry.key.as_deref().unwrap_or_default(),
            hash: entry.value.hash,
        });
    }

    /// The row in which a message is stored.
    pub fn row_of(&self, key: &str) -> Option<&Row<'a>> {
        self.by_key.get(key).map(|place| &self.rows[*place])
    }

    pub fn row_at(&self, offset: u64) -> Option<&Row<'a>> {
        self.by_offset.get(&offset).map(|place| &self.rows[*place])
    }

    pub fn last_offset(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.offset)
    }
}

impl Message<'_> {
    /// How it ended.
    pub fn ended(&self, entries: &[Entry]) -> Option<Kind> {
        self.outcomes.first().map(|index| entries[*index].kind)
    }

    /// The answer that says it is stored.
    pub fn acked(&self, entries: &[Entry]) -> Option<usize> {
        let acked = |index: &&usize| entries[**index].kind == Kind::Ok;
        self.outcomes.iter().find(acked).copied()
    }
}
