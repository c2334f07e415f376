//! What a run is told as: a table of figures, the eleven checks, and the shortest history of a fault.

use std::io::{self, Write};

use crate::checker::{Check, Verdict};
use crate::history::{self, Entry, Kind, Op};
use crate::proxy::{Harm, Tally};
use crate::run::Past;

/// How much is shown of the history of a run that broke off.
const LAST: usize = 30;

/// Prints everything that is worth knowing about a run.
pub fn print(past: &Past, verdict: &Verdict, mut to: impl Write) -> io::Result<()> {
    let counts = &verdict.counts;
    let mut answers = first_answers(&past.history);
    answers.sort_unstable();
    let worst = match answers.last() {
        Some(worst) => {
            let median = answers[answers.len() / 2];
            let most = answers[answers.len() * 99 / 100];
            format!("{worst} ms; 99 % {most} ms, median {median} ms")
        }
        None => "-".to_owned(),
    };
    let crashes = past.history.iter().filter(|entry| is_crash(entry)).count();
    let proxy = past.proxy;
    writeln!(
        to,
        "{} kills, {crashes} crashes, {} of {} connections hurt, {} of them cut, {} upgrades begun, {} readers were given \
         {} messages",
        faults_of(&past.history, "kill"),
        past.harm.sum(),
        proxy.connections,
        proxy.cuts,
        proxy.upgrades,
        counts.readers,
        counts.received
    )?;
    let restored = |entry: &&Entry| (entry.op, entry.kind) == (Op::Restore, Kind::Ok);
    let restored = past.history.iter().filter(restored).count();
    if counts.forgotten + counts.undone + counts.resyncs + restored > 0 {
        writeln!(
            to,
            "{restored} times set back to a backup; of what was acknowledged {} undone by that and {} forgotten by the \
             retention; {} times a reader was told",
            counts.undone, counts.forgotten, counts.resyncs
        )?;
    }
    if counts.put_off > 0 {
        writeln!(
            to,
            "{} attempts were refused for the moment",
            counts.put_off
        )?;
    }
    let others = [
        "hold",
        "lock",
        "full disk",
        "read-only",
        "orderly stop",
        "client killed",
        "client held",
    ]
    .map(|what| (what, faults_of(&past.history, what)));
    for (what, times) in others.iter().filter(|(_, times)| *times > 0) {
        write!(to, "{what} {times}  ")?;
    }
    if others.iter().any(|(_, times)| *times > 0) {
        writeln!(to)?;
    }
    print_harm(&past.harm, &mut to)?;
    for skipped in &past.skipped {
        writeln!(to, "skipped: {skipped}")?;
    }
    writeln!(
        to,
        "\n{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5} {:>9} {:>5} {:>11}  worst time to the first answer after a kill",
        "sent",
        "tries",
        "refused",
        "pending",
        "acked",
        "stored",
        "lost",
        "repeated",
        "gaps",
        "inversions"
    )?;
    writeln!(
        to,
        "{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5} {:>9} {:>5} {:>11}  {worst}\n",
        counts.sent,
        counts.tries,
        counts.refused,
        counts.pending,
        counts.acked,
        counts.stored,
        counts.lost,
        counts.repeated + counts.repeats,
        counts.gaps,
        counts.inversions
    )?;
    for (number, check) in (1..).zip(Check::ALL) {
        match verdict.count(check) {
            0 => writeln!(to, "ok     {number:>2}. {check}")?,
            broken => writeln!(to, "BROKEN {number:>2}. {check}: {broken} times")?,
        }
    }
    if let Some(fault) = verdict.plainest() {
        writeln!(to, "\n{}. The shortest history that shows it:", fault.what)?;
        history::write(&fault.excerpt(&past.history), &mut to)?;
    }
    Ok(())
}

/// What was done to connections, and where.
fn print_harm(harm: &Tally, mut to: impl Write) -> io::Result<()> {
    let spots = harm.spots();
    if spots.is_empty() {
        return Ok(());
    }
    write!(to, "\n{:<32}", "connections hurt")?;
    for harm in Harm::ALL {
        write!(to, " {:>10}", harm.name())?;
    }
    writeln!(to)?;
    for spot in spots {
        write!(to, "{:<32}", spot.to_string())?;
        for kind in Harm::ALL {
            write!(to, " {:>10}", harm.of(spot, kind))?;
        }
        writeln!(to)?;
    }
    Ok(())
}

/// Prints what is known of a run that broke off: why, and what happened last.
pub fn print_end(past: &Past, why: &str, mut to: impl Write) -> io::Result<()> {
    writeln!(to, "the run broke off: {why}\n\nThe last of its history:")?;
    let last = past.history.len().saturating_sub(LAST);
    history::write(&past.history[last..], to)
}

/// From each start that followed a kill to the first answer, in milliseconds, where there was one before the next kill.
fn first_answers(history: &[Entry]) -> Vec<u64> {
    let mut answers = Vec::new();
    let mut killed = false;
    let mut started = None;
    for entry in history {
        match (entry.op, entry.kind) {
            (Op::Fault, _) if is_kill(entry) || is_crash(entry) => {
                (killed, started) = (true, None);
            }
            (Op::Start, Kind::Invoke) if killed => started = Some(entry.t),
            (Op::Send, Kind::Ok) => {
                if let Some(start) = started.filter(|start| *start < entry.t) {
                    answers.push((entry.t - start) / 1_000);
                    started = None;
                }
            }
            _ => {}
        }
    }
    answers
}

fn is_kill(entry: &Entry) -> bool {
    entry.op == Op::Fault && entry.value.what.as_deref() == Some("kill")
}

fn is_crash(entry: &Entry) -> bool {
    let what = entry.value.what.as_deref().unwrap_or_default();
    entry.op == Op::Fault && what.starts_with("crash")
}

fn faults_of(history: &[Entry], what: &str) -> usize {
    history
        .iter()
        .filter(|entry| entry.op == Op::Fault && entry.kind != Kind::Ok)
        .filter(|entry| entry.value.what.as_deref() == Some(what))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Facts;

    #[test]
    fn the_first_answer_is_counted_from_the_start_that_follows_a_kill() {
        let entry = |t: u64, op, kind, what: &str| Entry {
            t: t * 1_000,
            proc: String::new(),
            op,
            kind,
            key: None,
            value: Facts::what(what),
        };
        let history = [
            entry(1, Op::Start, Kind::Invoke, "start"),
            entry(5, Op::Send, Kind::Ok, ""),
            entry(10, Op::Fault, Kind::Info, "kill"),
            entry(12, Op::Start, Kind::Invoke, "start"),
            entry(20, Op::Start, Kind::Ok, "start"),
            entry(52, Op::Send, Kind::Ok, ""),
            entry(60, Op::Send, Kind::Ok, ""),
            entry(70, Op::Fault, Kind::Info, "kill"),
            entry(71, Op::Start, Kind::Invoke, "start"),
            entry(80, Op::Fault, Kind::Info, "kill"),
        ];
        assert_eq!(first_answers(&history), [40]);
    }
}
