//! The checks of what readers were given.

use std::collections::HashMap;

use super::lineage::{Fate, Slot};
use super::view::View;
use super::{Check, PATIENCE, Verdict};
use crate::history::{Entry, Kind, Op};

pub fn check(view: &View<'_>, verdict: &mut Verdict) {
    for (name, entries) in &view.readers {
        // Others are told the name of the history too.
        if entries
            .iter()
            .all(|index| view.entries[*index].op == Op::Epoch)
        {
            continue;
        }
        verdict.counts.readers += 1;
        read(view, name, entries, verdict);
    }
}

/// How far a reader is, through all its connections.
#[derive(Default)]
struct Reading<'a> {
    /// Which history it is in, once it was told.
    epoch: Option<&'a str>,
    /// The offset that must come next, unknown until the reader says where it begins or is given something.
    next: Option<u64>,
    /// What it was given of this epoch, and by which entry.
    had: HashMap<u64, usize>,
    /// What it was given last, or where it began.
    before: Option<usize>,
    /// The epoch it claimed to come from, and by which entry.
    claim: Option<(&'a str, usize)>,
    /// It came from another epoch and has to be told before it is given anything.
    unfit: Option<usize>,
    has_left: bool,
}

/// Follows one reader.
fn read(view: &View<'_>, name: &str, entries: &[usize], verdict: &mut Verdict) {
    let mut reading = Reading::default();
    for index in entries {
        let entry = &view.entries[*index];
        match entry.op {
            Op::Subscribe => reading.subscribe(*index, entry),
            Op::Epoch => reading.epoch(entry),
            Op::Resync => {
                verdict.counts.resyncs += 1;
                if !reading.resync(view, entry) {
                    let what = format!("{name} was told to start anew, and nothing was forgotten");
                    let evidence = reading.before.into_iter().chain([*index]).collect();
                    verdict.add(Check::Readers, what, evidence);
                }
            }
            _ => {
                verdict.counts.received += 1;
                reading.receive(view, name, *index, entry, verdict);
            }
        }
    }
    if !reading.has_left {
        end(view, name, entries, &reading, verdict);
    }
}

impl<'a> Reading<'a> {
    fn subscribe(&mut self, index: usize, entry: &'a Entry) {
        self.has_left = entry.kind == Kind::Info;
        if self.next.is_none() {
            self.next = entry.value.offset.map(|offset| offset + 1);
        }
        let epoch = entry.value.epoch.as_deref();
        self.claim = epoch
            .filter(|_| entry.value.offset.is_some())
            .map(|epoch| (epoch, index));
        self.unfit = None;
        self.before.get_or_insert(index);
    }

    fn epoch(&mut self, entry: &'a Entry) {
        let told = entry.value.epoch.as_deref();
        if self.epoch.is_some() && self.epoch != told {
            self.next = None;
            self.had.clear();
        }
        self.epoch = told;
        let claim = self.claim.filter(|(claimed, _)| Some(*claimed) != told);
        self.unfit = claim.map(|(_, index)| index);
    }

    /// It is told to start anew; says whether there was a reason.
    fn resync(&mut self, view: &View<'a>, entry: &Entry) -> bool {
        let facts = &entry.value;
        if self.unfit.take().is_some() {
            self.claim = None;
            // Who came with a cursor of another epoch and was never told of that one has it from elsewhere.
            self.next = None;
            return true;
        }
        let (Some(first), Some(last)) = (facts.first, facts.offset) else {
            return false;
        };
        // What goes with the oldest that may be forgotten is whatever is before it.
        let oldest = first.saturating_sub(1);
        let is_behind = self.next.is_none_or(|next| next < first);
        let of_this = self.epoch.is_none() || self.epoch == facts.epoch.as_deref();
        self.next = None;
        of_this && is_behind && view.lineage.may_forget(oldest, last)
    }

    fn receive(
        &mut self,
        view: &View<'a>,
        name: &str,
        index: usize,
        entry: &Entry,
        verdict: &mut Verdict,
    ) {
        let offset = entry.value.offset.unwrap_or(0);
        if let Some(claim) = self.unfit.take() {
            let what = format!("{name} came from another epoch, and was not told");
            verdict.add(Check::Readers, what, vec![claim, index]);
            self.next = None;
        }
        // Who starts anew may begin anywhere, but is given nothing twice.
        let expected = *self.next.get_or_insert_with(|| {
            let last = self.had.keys().max();
            last.map_or(offset, |last| offset.max(last + 1))
        });
        match place(offset, expected, self.had.get(&offset).copied()) {
            Place::Next => {}
            Place::Gap => {
                verdict.counts.gaps += 1;
                let what = format!("{name} was given {offset} after {}", expected - 1);
                let row = view.row_at(expected).map(|row| row.index);
                let evidence = self.before.into_iter().chain(row).chain([index]).collect();
                verdict.add(Check::Readers, what, evidence);
            }
            Place::Repeat(first) => {
                verdict.counts.repeats += 1;
                let what = format!("{name} was given {offset} again");
                verdict.add(Check::Readers, what, vec![first, index]);
            }
            Place::Inversion => {
                verdict.counts.inversions += 1;
                let what = format!("{name} was given {offset} after {}", expected - 1);
                let evidence = self.before.into_iter().chain([index]).collect();
                verdict.add(Check::Readers, what, evidence);
            }
        }
        let slot = view.lineage.slot(self.epoch, offset);
        compare(view, name, index, entry, slot, verdict);
        self.next = Some(expected.max(offset + 1));
        self.had.entry(offset).or_insert(index);
        self.before = Some(index);
    }
}

enum Place {
    Next,
    Gap,
    /// Given before, by this entry.
    Repeat(usize),
    Inversion,
}

fn place(offset: u64, expected: u64, had: Option<usize>) -> Place {
    match had {
        _ if offset == expected => Place::Next,
        _ if offset > expected => Place::Gap,
        Some(first) => Place::Repeat(first),
        None => Place::Inversion,
    }
}

/// What was given must be the row, or what others know of it if it is gone.
fn compare(
    view: &View<'_>,
    name: &str,
    index: usize,
    entry: &Entry,
    slot: Slot<'_>,
    verdict: &mut Verdict,
) {
    let offset = slot.offset;
    let (key, hash) = (entry.key.as_deref(), entry.value.hash);
    if view.lineage.fate(slot) != Fate::Kept {
        let message = key.and_then(|key| view.messages.get(key));
        let was_said = message.is_some_and(|message| message.has_said(hash));
        if !was_said {
            let what = format!("{name} was given at {offset} what nobody has sent");
            verdict.add(Check::Readers, what, vec![index]);
        } else if let Some(sight) = view.seen.get(&slot)
            && (Some(sight.key) != key || (sight.hash.is_some() && sight.hash != hash))
        {
            let what = format!("{name} was given something else at {offset} than others know");
            verdict.add(Check::Readers, what, vec![sight.index, index]);
        }
        return;
    }
    match view.row_at(offset) {
        Some(row) if Some(row.key) == key && row.hash == hash => {}
        Some(row) => {
            let what = format!("{name} was given something else than is stored at {offset}");
            verdict.add(Check::Readers, what, vec![index, row.index]);
        }
        None => {
            let what = format!("{name} was given {offset}, and nothing is stored there");
            verdict.add(Check::Readers, what, vec![index]);
        }
    }
}

/// Who stays is at the tail in the end, and in time.
fn end(
    view: &View<'_>,
    name: &str,
    entries: &[usize],
    reading: &Reading<'_>,
    verdict: &mut Verdict,
) {
    let (last, next) = (view.last_offset(), reading.next);
    let (Some(healed), Some(first)) = (view.healed, entries.first()) else {
        return;
    };
    if reading.epoch.is_some() && view.lineage.last.is_some() && reading.epoch != view.lineage.last
    {
        let what = format!("{name} was never told that the database was set back");
        return verdict.add(Check::Readers, what, reading.before.into_iter().collect());
    }
    if last == 0 {
        return;
    }
    if next.is_none_or(|next| next <= last) {
        let row = view.row_at(last).map(|row| row.index);
        let evidence = entries.last().copied().into_iter().chain(row).collect();
        let what = match next {
            Some(next) => format!("{name} ended at {}, and {last} is stored", next - 1),
            None => format!("{name} was given nothing, and {last} is stored"),
        };
        return verdict.add(Check::Readers, what, evidence);
    }
    let answers = view.entries.iter();
    let answers = answers.filter(|entry| (entry.op, entry.kind) == (Op::Send, Kind::Ok));
    let last_answer = answers.map(|entry| entry.t).max().unwrap_or(0);
    let due = healed.max(last_answer).max(view.entries[*first].t) + PATIENCE;
    if let Some(index) = reading.had.get(&last)
        && view.entries[*index].t > due
    {
        let heal = view.entries.iter().rposition(|entry| entry.op == Op::Heal);
        let what = format!("{name} reached the tail too late");
        let evidence = heal.into_iter().chain([*index]).collect();
        verdict.add(Check::Convergence, what, evidence);
    }
}
