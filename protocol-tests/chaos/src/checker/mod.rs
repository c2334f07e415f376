//! The judge: eleven checks over a history. Pure: the same history always gets the same verdict.
//!
//! What is stored is what the entries `row` say; without any, what the reader `final` was given, who begins at zero
//! when all is over. What is not there may have been forgotten or undone on purpose: `lineage` knows.

mod lineage;
mod messages;
mod readers;
mod refusals;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::history::{Entry, Kind};
use view::View;

/// The reader who reads everything once more in the end.
pub const FINAL: &str = "final";

/// How long a message may be pending, and a reader behind, when the last fault is over.
pub const PATIENCE: u64 = 5_000_000;

/// What can be found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Lost,
    Repeated,
    Unexpected,
    AuthorOrder,
    Dense,
    Readers,
    RealTime,
    Answers,
    Convergence,
    Outcomes,
    Refusals,
}

/// A breach of a check, with the entries that prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub check: Check,
    pub what: String,
    /// Indices into the history.
    pub evidence: Vec<usize>,
}

/// What the history says, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: usize,
    pub acked: usize,
    pub refused: usize,
    /// Attempts that were answered with a refusal for the moment.
    pub put_off: usize,
    pub pending: usize,
    pub tries: usize,
    pub stored: usize,
    /// Acknowledged, and gone by the retention, or because the database was set back.
    pub forgotten: usize,
    pub undone: usize,
    /// Acknowledged and not stored.
    pub lost: usize,
    /// Rows too many.
    pub repeated: usize,
    pub readers: usize,
    pub received: usize,
    /// How often readers were told to start anew.
    pub resyncs: usize,
    /// At readers: offsets jumped over, given again, or given for the first time after a later one.
    pub gaps: usize,
    pub repeats: usize,
    pub inversions: usize,
}

/// The outcome of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub counts: Counts,
    pub faults: Vec<Fault>,
}

/// Judges a history.
pub fn check(history: &[Entry]) -> Verdict {
    let view = View::new(history);
    let mut verdict = Verdict::default();
    verdict.counts.sent = view.messages.len();
    let with = |kind| move |message: &&view::Message<'_>| message.ended(history) == Some(kind);
    verdict.counts.acked = view.messages.values().filter(with(Kind::Ok)).count();
    verdict.counts.refused = view.messages.values().filter(with(Kind::Fail)).count();
    verdict.counts.pending = verdict.counts.sent - verdict.counts.acked - verdict.counts.refused;
    verdict.counts.tries = view
        .messages
        .values()
        .map(|message| message.tries.len())
        .sum();
    verdict.counts.stored = view.rows.len();
    messages::check(&view, &mut verdict);
    refusals::check(&view, &mut verdict);
    readers::check(&view, &mut verdict);
    verdict
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// How often a check was broken.
    pub fn count(&self, check: Check) -> usize {
        self.faults
            .iter()
            .filter(|fault| fault.check == check)
            .count()
    }

    /// The fault that needs the fewest entries to be seen.
    pub fn plainest(&self) -> Option<&Fault> {
        self.faults.iter().min_by_key(|fault| fault.evidence.len())
    }

    fn add(&mut self, check: Check, what: String, evidence: Vec<usize>) {
        self.faults.push(Fault {
            check,
            what,
            evidence,
        });
    }
}

impl Fault {
    /// The shortest history that shows the fault.
    pub fn excerpt(&self, history: &[Entry]) -> Vec<Entry> {
        let mut evidence = self.evidence.clone();
        evidence.sort_unstable();
        evidence.dedup();
        let entries = evidence.iter().filter_map(|index| history.get(*index));
        entries.cloned().collect()
    }
}

impl Check {
    pub const ALL: [Self; 11] = [
        Self::Lost,
        Self::Repeated,
        Self::Unexpected,
        Self::AuthorOrder,
        Self::Dense,
        Self::Readers,
        Self::RealTime,
        Self::Answers,
        Self::Convergence,
        Self::Outcomes,
        Self::Refusals,
    ];
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "what was acknowledged is stored, unless it was forgotten on purpose",
            Self::Repeated => "each message is stored at most once, as long as it is kept",
            Self::Unexpected => "only what was sent is stored, as it was sent",
            Self::AuthorOrder => "an author's messages are stored in the order of sending",
            Self::Dense => {
                "offsets are 1, 2, 3 and so on, in one epoch until the database is set back"
            }
            Self::Readers => {
                "each reader got every row, once and in order, or was told what is gone"
            }
            Self::RealTime => "what is sent after an answer is stored behind it",
            Self::Answers => {
                "answers name the stored offset, and say rightly whether it is a repeat"
            }
            Self::Convergence => "5 s after the last fault nothing is pending and nobody behind",
            Self::Outcomes => "each message has exactly one outcome",
            Self::Refusals => "a message is refused only for a reason, and while there is one",
        })
    }
}
