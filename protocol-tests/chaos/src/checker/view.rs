//! A history by message, by row and by reader.

use std::collections::{BTreeMap, HashMap};

use super::FINAL;
use super::lineage::{Fate, Lineage, Slot};
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
    pub lineage: Lineage<'a>,
    /// Who first said what stands in a slot, where that may be gone. Answers before readers.
    pub seen: HashMap<Slot<'a>, Sight<'a>>,
    /// Where each message was seen, if it may be gone from one of these.
    pub places: BTreeMap<&'a str, Vec<Slot<'a>>>,
}

/// What happened to one message.
#[derive(Default)]
pub struct Message<'a> {
    pub author: &'a str,
    pub seq: Option<u64>,
    pub hash: Option<u32>,
    /// Its author knows that the server has to refuse it.
    pub is_invalid: bool,
    pub sent: Vec<usize>,
    pub tries: Vec<usize>,
    pub outcomes: Vec<usize>,
    /// Answers to attempts made after the first answer.
    pub again: Vec<usize>,
    /// What else was said under the same key, which is to be refused as long as the key is known.
    pub clashes: Vec<u32>,
}

/// What somebody said to be in a slot.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub index: usize,
    pub key: &'a str,
    /// Not known from an answer.
    pub hash: Option<u32>,
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
            lineage: Lineage::default(),
            seen: HashMap::new(),
            places: BTreeMap::new(),
        };
        let has_rows = entries.iter().any(|entry| entry.op == Op::Row);
        let mut restored = None;
        for (index, entry) in entries.iter().enumerate() {
            view.lineage.take(entry, &mut restored);
            match entry.op {
                Op::Send | Op::Try | Op::Again => view.take_sending(index, entry),
                Op::Subscribe | Op::Receive | Op::Resync | Op::Epoch => {
                    view.readers.entry(&entry.proc).or_default().push(index);
                    if entry.op == Op::Receive && entry.proc == FINAL && !has_rows {
                        view.take_row(index, entry);
                    }
                }
                Op::Row => view.take_row(index, entry),
                Op::Heal => view.healed = Some(entry.t),
                Op::Start | Op::Fault | Op::Keep | Op::Restore => {}
            }
        }
        view.rows.sort_by_key(|row| row.offset);
        for (place, row) in view.rows.iter().enumerate() {
            view.by_key.entry(row.key).or_insert(place);
            view.by_offset.entry(row.offset).or_insert(place);
        }
        view.lineage.first = view.rows.first().map_or(1, |row| row.offset);
        view.lineage.last = view.rows.first().and_then(|row| {
            let told = |entry: &&Entry| entry.proc == entries[row.index].proc;
            let told = entries.iter().rev().filter(told);
            told.filter(|entry| entry.op == Op::Epoch).find_map(epoch)
        });
        if !view.lineage.keeps_everything() {
            view.look_for_what_is_gone();
        }
        view
    }

    fn look_for_what_is_gone(&mut self) {
        let mut sights = Vec::new();
        for (key, message) in &self.messages {
            for index in message.outcomes.iter().chain(&message.again) {
                let entry = &self.entries[*index];
                let sight = Sight {
                    index: *index,
                    key,
                    hash: None,
                };
                sights.push((epoch(entry), entry.value.offset, sight));
            }
        }
        for entries in self.readers.values() {
            let mut told = None;
            for index in entries {
                let entry = &self.entries[*index];
                match (entry.op, entry.key.as_deref()) {
                    (Op::Epoch, _) => told = epoch(entry),
                    (Op::Receive, Some(key)) => {
                        let sight = Sight {
                            index: *index,
                            key,
                            hash: entry.value.hash,
                        };
                        sights.push((told, entry.value.offset, sight));
                    }
                    _ => {}
                }
            }
        }
        let rows = self.rows.iter().map(|row| (row.offset, row.key));
        for (offset, key) in rows {
            let slot = self.lineage.slot(self.lineage.last, offset);
            self.places.entry(key).or_default().push(slot);
        }
        for (epoch, offset, sight) in sights {
            let Some(offset) = offset else { continue };
            let slot = self.lineage.slot(epoch, offset);
            self.seen.entry(slot).or_insert(sight);
            let places = self.places.entry(sight.key).or_default();
            if !places.contains(&slot) {
                places.push(slot);
            }
        }
        for places in self.places.values_mut() {
            self.lineage.sort(places);
        }
        self.places.retain(|_, places| places.len() > 1);
    }

    fn take_sending(&mut self, index: usize, entry: &'a Entry) {
        let key = entry.key.as_deref().unwrap_or_default();
        if (entry.op, entry.kind) == (Op::Send, Kind::Invoke) {
            let message = self.messages.entry(key).or_default();
            message.author = &entry.proc;
            message.seq = entry.value.seq;
            message.hash = entry.value.hash;
            message.is_invalid = entry.value.what.as_deref() == Some("invalid");
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
            (Op::Again, Kind::Invoke) if entry.value.hash != message.hash => {
                message.clashes.extend(entry.value.hash);
            }
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

    /// Where a message stands by an answer or in what a reader is given.
    pub fn slot(&self, entry: &'a Entry) -> Option<Slot<'a>> {
        let offset = entry.value.offset?;
        Some(self.lineage.slot(epoch(entry), offset))
    }

    /// What has become of the place that an answer names. Where answers name none, nothing is ever gone.
    pub fn fate_of(&self, answer: usize) -> Fate {
        let slot = self.slot(&self.entries[answer]);
        slot.map_or(Fate::Kept, |slot| self.lineage.fate(slot))
    }

    pub fn last_offset(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.offset)
    }
}

fn epoch(entry: &Entry) -> Option<&str> {
    entry.value.epoch.as_deref()
}

impl Message<'_> {
    /// Whether this is the content of one of its attempts.
    pub fn has_said(&self, hash: Option<u32>) -> bool {
        self.hash == hash || hash.is_some_and(|hash| self.clashes.contains(&hash))
    }

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
