//! What a run leaves behind: the history that is judged, what else was wrong, how often what was broken, and the hash by
//! which two runs are compared.

use std::collections::BTreeMap;

use chaos::history::{Entry, Facts, Kind, Op};

use crate::agenda::Ms;

/// The record of one run.
#[derive(Debug)]
pub struct Record {
    pub history: Vec<Entry>,
    /// What the checker of histories does not look at.
    pub wrong: Vec<String>,
    /// How often each fault was made.
    pub counts: BTreeMap<&'static str, u64>,
    trace: u64,
    steps: u64,
    time: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            history: Vec::new(),
            wrong: Vec::new(),
            counts: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            time: 0,
        }
    }
}

impl Record {
    /// Notes an entry of the history. Entries of one millisecond get times that follow each other.
    pub fn note(
        &mut self,
        now: Ms,
        proc: &str,
        op: Op,
        kind: Kind,
        key: Option<&str>,
        value: Facts,
    ) {
        self.time = (self.time + 1).max(now * 1_000);
        let entry = Entry {
            t: self.time,
            proc: proc.to_owned(),
            op,
            kind,
            key: key.map(str::to_owned),
            value,
        };
        self.trace_text(&serde_json::to_string(&entry).unwrap_or_default());
        self.history.push(entry);
    }

    pub fn fault(&mut self, now: Ms, what: &'static str) {
        self.count(what);
        self.note(
            now,
            "nemesis",
            Op::Fault,
            Kind::Info,
            None,
            Facts::what(what),
        );
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_insert(0) += 1;
    }

    /// Takes a step into the hash (FNV-1a). Of bytes on the wire it is their number: those in them that do not follow from
    /// the seed, such as the id of a socket or the date of an answer, are always as many.
    pub fn trace(&mut self, step: &[u64]) {
        self.steps += 1;
        for number in step {
            self.mix(&number.to_le_bytes());
        }
    }

    pub fn trace_text(&mut self, text: &str) {
        self.steps += 1;
        self.mix(text.as_bytes());
    }

    /// Equal for two runs only if every step of them was.
    pub fn hash(&self) -> u64 {
        self.trace
    }

    /// How many steps went into the hash.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
