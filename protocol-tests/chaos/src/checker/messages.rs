//! The checks of what was sent, answered and stored: all but those of the readers.

use std::collections::{BTreeMap, HashMap};

use super::lineage::{Fate, Slot};
use super::view::{Message, Row, View};
use super::{Check, PATIENCE, Verdict};
use crate::history::{Kind, Op};

pub fn check(view: &View<'_>, verdict: &mut Verdict) {
    lost(view, verdict);
    rows(view, verdict);
    places(view, verdict);
    author_order(view, verdict);
    dense(view, verdict);
    real_time(view, verdict);
    answers(view, verdict);
    convergence(view, verdict);
    outcomes(view, verdict);
}

fn lost(view: &View<'_>, verdict: &mut Verdict) {
    for (key, message) in &view.messages {
        let Some(ack) = message.acked(view.entries) else {
            continue;
        };
        match view.fate_of(ack) {
            Fate::Kept => {}
            Fate::Forgotten => {
                verdict.counts.forgotten += 1;
                continue;
            }
            Fate::Undone => {
                verdict.counts.undone += 1;
                continue;
            }
        }
        if view.row_of(key).is_none() {
            verdict.counts.lost += 1;
            let evidence = [&message.sent[..], &[ack]].concat();
            verdict.add(
                Check::Lost,
                format!("{key} was acknowledged and is not stored"),
                evidence,
            );
        }
    }
}

fn rows(view: &View<'_>, verdict: &mut Verdict) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for row in &view.rows {
        if let Some(before) = seen.insert(row.key, row.index) {
            verdict.counts.repeated += 1;
            let what = format!("{} is stored more than once", row.key);
            verdict.add(Check::Repeated, what, vec![before, row.index]);
        }
        let Some(message) = view.messages.get(row.key) else {
            let what = format!("nobody has sent what is stored at {}", row.offset);
            verdict.add(Check::Unexpected, what, vec![row.index]);
            continue;
        };
        let evidence = || [&message.sent[..], &message.outcomes, &[row.index]].concat();
        if row.hash != message.hash && !clashed_late(view, message, row) {
            let what = format!("{} is stored with other content", row.key);
            verdict.add(Check::Unexpected, what, evidence());
        } else if message.ended(view.entries) == Some(Kind::Fail) {
            let what = format!("{} was refused for good and is stored", row.key);
            verdict.add(Check::Unexpected, what, evidence());
        }
    }
}

/// Whether a row holds what was said in place of a message that had been forgotten or undone by then.
fn clashed_late(view: &View<'_>, message: &Message<'_>, row: &Row<'_>) -> bool {
    let acked = message.acked(view.entries);
    let stands = view.lineage.slot(view.lineage.last, row.offset);
    let is_late = |acked| view.lineage.may_follow(acked, stands);
    row.hash.is_some_and(|hash| message.clashes.contains(&hash))
        && acked
            .and_then(|ack| view.slot(&view.entries[ack]))
            .is_some_and(is_late)
}

/// A message that was seen in two places was gone from the first by then: as long as it is kept, it is known again.
fn places(view: &View<'_>, verdict: &mut Verdict) {
    for (key, places) in &view.places {
        let row = |slot: &Slot<'_>| {
            let is_kept = view.lineage.fate(*slot) == Fate::Kept;
            let row = view.row_at(slot.offset).filter(|row| row.key == *key);
            row.filter(|_| is_kept)
        };
        for pair in places.windows(2) {
            // Two rows were counted as such.
            if view.lineage.may_follow(pair[0], pair[1])
                || pair.iter().all(|slot| row(slot).is_some())
            {
                continue;
            }
            verdict.counts.repeated += 1;
            let (first, second) = (pair[0].offset, pair[1].offset);
            let what = format!("{key} was stored at {second}, with {first} not yet forgotten");
            let index = |slot| {
                let sight = view.seen.get(slot).map(|sight| sight.index);
                row(slot).map(|row| row.index).or(sight)
            };
            let evidence = pair.iter().filter_map(index).collect();
            verdict.add(Check::Repeated, what, evidence);
        }
    }
}

fn author_order(view: &View<'_>, verdict: &mut Verdict) {
    let mut by_author: BTreeMap<&str, BTreeMap<u64, (&str, &Message<'_>)>> = BTreeMap::new();
    for (key, message) in &view.messages {
        if let Some(seq) = message.seq {
            let of_author = by_author.entry(message.author).or_default();
            of_author.insert(seq, (key, message));
        }
    }
    for (author, messages) in by_author {
        let mut before: Option<(&str, u64, usize)> = None;
        let mut holes = Vec::new();
        for (key, message) in messages.into_values() {
            let Some(row) = view.row_of(key) else {
                let acked = message.acked(view.entries);
                let is_gone = acked.is_some_and(|ack| view.fate_of(ack) != Fate::Kept);
                if message.ended(view.entries) != Some(Kind::Fail) && !is_gone {
                    holes.push((key, message));
                }
                continue;
            };
            for (hole, message) in holes.drain(..) {
                let what = format!("{author} has {key} stored, and not {hole}, which came before");
                let evidence = [&message.sent[..], &message.outcomes, &[row.index]].concat();
                verdict.add(Check::AuthorOrder, what, evidence);
            }
            if let Some((earlier, offset, index)) = before
                && row.offset < offset
            {
                let what = format!("{author} sent {earlier} before {key}, which is stored first");
                verdict.add(Check::AuthorOrder, what, vec![index, row.index]);
            }
            before = Some((key, row.offset, row.index));
        }
    }
}

fn dense(view: &View<'_>, verdict: &mut Verdict) {
    let (mut expected, mut before) = (1, None);
    if let (Some(keep), Some(first), Some(last)) =
        (view.lineage.keep, view.rows.first(), view.rows.last())
    {
        // The gap at the beginning may not be larger than it has to be, nor smaller.
        let oldest = (last.offset + 1).saturating_sub(keep).max(1);
        if first.offset > oldest {
            let what = format!("{keep} are to be kept, and {oldest} is gone");
            verdict.add(Check::Dense, what, vec![first.index, last.index]);
        } else if first.offset < oldest {
            let what = format!("{keep} are to be kept, and {} is still there", first.offset);
            verdict.add(Check::Dense, what, vec![first.index, last.index]);
        }
        expected = first.offset;
    }
    for row in &view.rows {
        if row.offset != expected {
            let what = format!("offset {} follows {}", row.offset, expected - 1);
            let evidence = before.into_iter().chain([row.index]).collect();
            verdict.add(Check::Dense, what, evidence);
        }
        expected = row.offset + 1;
        before = Some(row.index);
    }
    let mut first: Option<(usize, &str)> = None;
    for (index, entry) in view.entries.iter().enumerate() {
        let Some(epoch) = entry.value.epoch.as_deref() else {
            continue;
        };
        if view.lineage.has_begun(epoch) {
            continue;
        }
        match first {
            Some((before, name)) if name != epoch => {
                let what = format!("the history was called {name}, and then {epoch}");
                verdict.add(Check::Dense, what, vec![before, index]);
                return;
            }
            Some(_) => {}
            None => first = Some((index, epoch)),
        }
    }
}

fn real_time(view: &View<'_>, verdict: &mut Verdict) {
    // Answers by their time, each with the highest offset that had been answered by then.
    let mut answered: Vec<(u64, u64, usize)> = Vec::new();
    let mut invoked = Vec::new();
    for (key, message) in &view.messages {
        let Some(row) = view.row_of(key) else {
            continue;
        };
        if let Some(ack) = message.acked(view.entries)
            && view.fate_of(ack) == Fate::Kept
        {
            answered.push((view.entries[ack].t, row.offset, ack));
        }
        if let Some(sent) = message.sent.first() {
            invoked.push((view.entries[*sent].t, row.offset, *sent, *key));
        }
    }
    answered.sort_unstable();
    let mut highest = (0, 0);
    for (_, offset, index) in &mut answered {
        highest = highest.max((*offset, *index));
        (*offset, *index) = highest;
    }
    for (t, offset, sent, key) in invoked {
        let before = answered.partition_point(|(answer, ..)| *answer < t);
        if let Some((_, highest, ack)) = before.checked_sub(1).map(|last| answered[last])
            && offset < highest
        {
            let what = format!(
                "{key} is stored at {offset}, and {highest} was answered before it was sent"
            );
            verdict.add(Check::RealTime, what, vec![ack, sent]);
        }
    }
}

fn answers(view: &View<'_>, verdict: &mut Verdict) {
    for (key, message) in &view.messages {
        let acked = message.acked(view.entries);
        for answer in acked.iter().chain(&message.again) {
            if let Some(slot) = view.slot(&view.entries[*answer])
                && let Some(sight) = view.seen.get(&slot)
                && sight.key != *key
            {
                let what = format!("{key} and {} were answered {}", sight.key, slot.offset);
                verdict.add(Check::Answers, what, vec![sight.index, *answer]);
            }
            let (Some(offset), Some(row)) = (view.entries[*answer].value.offset, view.row_of(key))
            else {
                continue;
            };
            if view.fate_of(*answer) != Fate::Kept {
                continue;
            }
            if offset != row.offset {
                let what = format!(
                    "{key} was answered {offset} and is stored at {}",
                    row.offset
                );
                verdict.add(Check::Answers, what, vec![*answer, row.index]);
            }
        }
        let duplicate = |answer: usize| view.entries[answer].value.duplicate;
        if let Some(ack) = acked
            && message.tries.len() == 1
            && duplicate(ack) == Some(true)
        {
            let what = format!("{key} was sent once and called a repeat");
            verdict.add(Check::Answers, what, vec![message.tries[0], ack]);
        }
        for again in &message.again {
            // What was forgotten or undone meanwhile is new.
            let slot = |index: usize| view.slot(&view.entries[index]);
            if let (Some(ack), Some(later)) = (acked.and_then(slot), slot(*again))
                && duplicate(*again) == Some(false)
                && view.lineage.may_follow(ack, later)
            {
                continue;
            }
            let hash = view.entries[*again].value.hash;
            if hash.is_some() && hash != message.hash {
                let what = format!("{key} was answered as stored with other content");
                let evidence = [&message.sent[..], &[*again]].concat();
                verdict.add(Check::Answers, what, evidence);
            }
            if duplicate(*again) == Some(false) {
                let what = format!("{key} was answered before, and is not called a repeat");
                let evidence = acked.into_iter().chain([*again]).collect();
                verdict.add(Check::Answers, what, evidence);
            }
        }
    }
}

fn convergence(view: &View<'_>, verdict: &mut Verdict) {
    let Some(healed) = view.healed else { return };
    for (key, message) in &view.messages {
        let Some(sent) = message.sent.first() else {
            continue;
        };
        let due = healed.max(view.entries[*sent].t) + PATIENCE;
        let resolved = message
            .outcomes
            .iter()
            .find(|outcome| view.entries[**outcome].kind != Kind::Info);
        let late = match resolved {
            Some(outcome) => view.entries[*outcome].t > due,
            None => true,
        };
        if late {
            let heal = view.entries.iter().rposition(|entry| entry.op == Op::Heal);
            let evidence = [&message.sent[..], &message.outcomes].concat();
            let evidence = evidence.into_iter().chain(heal).collect();
            let what = format!("{key} was pending for too long after the last fault");
            verdict.add(Check::Convergence, what, evidence);
        }
    }
}

fn outcomes(view: &View<'_>, verdict: &mut Verdict) {
    for (key, message) in &view.messages {
        if message.sent.len() != 1 || message.outcomes.len() != 1 {
            let what = format!(
                "{key} was sent {} times and has {} outcomes",
                message.sent.len(),
                message.outcomes.len()
            );
            let evidence = [&message.sent[..], &message.outcomes].concat();
            verdict.add(Check::Outcomes, what, evidence);
        }
    }
    for stray in &view.strays {
        let what = "an outcome of what was never sent".to_owned();
        verdict.add(Check::Outcomes, what, vec![*stray]);
    }
}
