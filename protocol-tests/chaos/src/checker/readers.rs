//! The checks of what readers were given.

use std::collections::HashMap;

use super::view::View;
use super::{Check, PATIENCE, Verdict};
use crate::history::{Entry, Kind, Op};

pub fn check(view: &View<'_>, verdict: &mut Verdict) {
    for (name, entries) in &view.readers {
        verdict.counts.readers += 1;
        read(view, name, entries, verdict);
    }
}

/// Follows one reader through all its connections.
fn read(view: &View<'_>, name: &str, entries: &[usize], verdict: &mut Verdict) {
    // The offset that must come next, unknown until the reader says where it begins or is given something.
    let mut next: Option<u64> = None;
    let mut had: HashMap<u64, usize> = HashMap::new();
    let mut before = None;
    let mut has_left = false;
    for index in entries {
        let entry = &view.entries[*index];
        match entry.op {
            Op::Subscribe => {
                has_left = entry.kind == Kind::Info;
                if next.is_none() {
                    next = entry.value.offset.map(|offset| offset + 1);
                }
                before.get_or_insert(*index);
            }
            Op::Resync => {
                let what = format!("{name} was told to start anew, and nothing was forgotten");
                verdict.add(Check::Readers, what, vec![*index]);
            }
            _ => {
                verdict.counts.received += 1;
                let offset = entry.value.offset.unwrap_or(0);
                let expected = *next.get_or_insert(offset);
                let found = place(offset, expected, had.get(&offset).copied());
                match found {
                    Place::Next => {}
                    Place::Gap => {
                        verdict.counts.gaps += 1;
                        let what = format!("{name} was given {offset} after {}", expected - 1);
                        let row = view.row_at(expected).map(|row| row.index);
                        let evidence = before.into_iter().chain(row).chain([*index]).collect();
                        verdict.add(Check::Readers, what, evidence);
                    }
                    Place::Repeat(first) => {
                        verdict.counts.repeats += 1;
                        let what = format!("{name} was given {offset} again");
                        verdict.add(Check::Readers, what, vec![first, *index]);
                    }
                    Place::Inversion => {
                        verdict.counts.inversions += 1;
                        let what = format!("{name} was given {offset} after {}", expected - 1);
                        let evidence = before.into_iter().chain([*index]).collect();
                        verdict.add(Check::Readers, what, evidence);
                    }
                }
                compare(view, name, *index, entry, offset, verdict);
                next = Some(expected.max(offset + 1));
                had.entry(offset).or_insert(*index);
                before = Some(*index);
            }
        }
    }
    if !has_left {
        end(view, name, entries, &had, next, verdict);
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

/// What was given must be the row.
fn compare(
    view: &View<'_>,
    name: &str,
    index: usize,
    entry: &Entry,
    offset: u64,
    verdict: &mut Verdict,
) {
    match view.row_at(offset) {
        Some(row) if Some(row.key) == entry.key.as_deref() && row.hash == entry.value.hash => {}
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
    had: &HashMap<u64, usize>,
    next: Option<u64>,
    verdict: &mut Verdict,
) {
    let last = view.last_offset();
    let (Some(healed), Some(first)) = (view.healed, entries.first()) else {
        return;
    };
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
    if let Some(index) = had.get(&last)
        && view.entries[*index].t > due
    {
        let heal = view.entries.iter().rposition(|entry| entry.op == Op::Heal);
        let what = format!("{name} reached the tail too late");
        let evidence = heal.into_iter().chain([*index]).collect();
        verdict.add(Check::Convergence, what, evidence);
    }
}
