//! What runs are told as.

use std::collections::BTreeMap;
use std::io::{self, Write};

use simulation::run::Past;

/// How many red runs are told in full.
const TOLD: u64 = 5;

/// The sum of many runs.
#[derive(Debug, Default)]
pub struct Total {
    runs: u64,
    red: u64,
    steps: u64,
    milliseconds: u64,
    sent: usize,
    tries: usize,
    acked: usize,
    refused: usize,
    stored: usize,
    received: usize,
    lost: usize,
    repeated: usize,
    gaps: usize,
    inversions: usize,
    counts: BTreeMap<&'static str, u64>,
    /// Of the first red runs.
    seeds: Vec<u64>,
}

impl Total {
    pub fn add(&mut self, past: &Past) {
        let counts = &past.verdict.counts;
        self.runs += 1;
        self.steps += past.record.steps();
        self.milliseconds += past.lasted;
        self.sent += counts.sent;
        self.tries += counts.tries;
        self.acked += counts.acked;
        self.refused += counts.refused;
        self.stored += counts.stored;
        self.received += counts.received;
        self.lost += counts.lost;
        self.repeated += counts.repeated + counts.repeats;
        self.gaps += counts.gaps;
        self.inversions += counts.inversions;
        for (what, times) in &past.record.counts {
            *self.counts.entry(what).or_insert(0) += times;
        }
        if !past.is_good() {
            self.red += 1;
            if self.red <= 20 {
                self.seeds.push(past.seed);
            }
        }
    }

    pub fn red_seeds(&self) -> u64 {
        self.red
    }

    /// Whether the run that was added last is one of the first red ones.
    pub fn is_worth_telling(&self) -> bool {
        self.red <= TOLD
    }

    pub fn print(&self, mut to: impl Write) -> io::Result<()> {
        writeln!(
            to,
            "{} runs, {} steps, {} hours of simulated time",
            self.runs,
            self.steps,
            self.milliseconds / 3_600_000
        )?;
        let mut column = 0;
        for (what, times) in &self.counts {
            column += 1;
            let end = if column % 5 == 0 { "\n" } else { "  " };
            write!(to, "{what} {times}{end}")?;
        }
        writeln!(
            to,
            "\n{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>5} {:>9} {:>5} {:>11}",
            "sent",
            "tries",
            "refused",
            "acked",
            "stored",
            "received",
            "lost",
            "repeated",
            "gaps",
            "inversions"
        )?;
        writeln!(
            to,
            "{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>5} {:>9} {:>5} {:>11}",
            self.sent,
            self.tries,
            self.refused,
            self.acked,
            self.stored,
            self.received,
            self.lost,
            self.repeated,
            self.gaps,
            self.inversions
        )?;
        if !self.seeds.is_empty() {
            writeln!(
                to,
                "{} runs were red, by the seeds {:?} …",
                self.red, self.seeds
            )?;
        }
        Ok(())
    }
}

/// Tells what was wrong with a run, by the shortest history that shows it.
pub fn print_faults(past: &Past, mut to: impl Write) -> io::Result<()> {
    if past.is_good() {
        return Ok(());
    }
    writeln!(to, "seed {} is red:", past.seed)?;
    for what in &past.record.wrong {
        writeln!(to, "  {what}")?;
    }
    if let Some(fault) = past.verdict.plainest() {
        writeln!(to, "  {}: {}", fault.check, fault.what)?;
        let excerpt = fault.excerpt(&past.record.history);
        chaos::history::write(&excerpt, &mut to)?;
    }
    writeln!(to)
}
