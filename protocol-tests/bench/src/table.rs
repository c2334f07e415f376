//! The tables, as Markdown whose columns are also in line for the eye: one row for each scenario and server, and one for
//! each aim.

use crate::aims::Verdict;
use crate::context::counted;
use crate::outcome::{Outcome, Row};
use crate::server::Family;
use crate::stats::three_digits;
use crate::tally::Faults;

/// All rows, with their head.
pub fn table(outcomes: &[Outcome]) -> String {
    let head = [
        "scenario",
        "server",
        "figure",
        "median",
        "lowest–highest",
        "÷ socketioxide",
        "÷ floor",
        "÷ node",
        "a second",
        "p50 µs",
        "p99 µs",
        "core",
        "MiB",
        "faults",
    ];
    let rows = outcomes
        .iter()
        .flat_map(|outcome| outcome.rows.iter().map(|row| cells(outcome, row)));
    // Words are on the left, figures on the right.
    markdown(&head, rows, |column| column < 3 || column == COLUMNS - 1)
}

/// What was aimed at, of the better of our forms.
pub fn aims(verdicts: &[Verdict]) -> String {
    let head = ["scenario", "ours", "is", "same allocator", "aim", "reached"];
    let rows = verdicts.iter().map(|verdict| verdict.cells().to_vec());
    markdown(&head, rows, |column| column < 2 || column == 5)
}

/// A table whose columns are on the left if they are text, and otherwise on the right.
pub fn markdown(
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    is_text: impl Fn(usize) -> bool,
) -> String {
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        out.push_str(&drawn(line, &widths, &is_text));
        if number == 0 {
            let rule = |(column, width): (usize, &usize)| {
                let end = if is_text(column) { "-" } else { ":" };
                format!("-{}{end}", "-".repeat(*width))
            };
            let rules: Vec<String> = widths.iter().enumerate().map(rule).collect();
            out.push_str(&format!("|{}|\n", rules.join("|")));
        }
    }
    out
}

fn cells(outcome: &Outcome, row: &Row) -> Vec<String> {
    let scenario = outcome.scenario;
    let mut cells = vec![
        scenario.name.to_owned(),
        row.server.name.clone(),
        scenario.unit().name().to_owned(),
    ];
    let Some(figure) = row.figure() else {
        cells.push("failed".to_owned());
        cells.resize(COLUMNS - 1, String::new());
        cells.push(faults(row.faults(), row.failures.len()));
        return cells;
    };
    let ratio = |family| {
        outcome
            .ratio(row, family)
            .map(|ratio| format!("{ratio:.2}"))
    };
    let median = |of: fn(&crate::scenario::Sample) -> Option<f64>| row.median(of).map(three_digits);
    cells.push(three_digits(figure.median));
    cells.push(format!(
        "{}–{}",
        three_digits(figure.lowest),
        three_digits(figure.highest)
    ));
    let rest = [
        ratio(Family::Socketioxide),
        ratio(Family::Floor),
        ratio(Family::Node),
        median(|sample| Some(sample.per_second)),
        median(|sample| Some(sample.latency?.0)),
        median(|sample| Some(sample.latency?.1)),
        row.median(|sample| Some(sample.busy))
            .map(|busy| format!("{:.0} %", busy * 100.0)),
        median(|sample| Some(sample.resident as f64 / f64::from(1 << 20))),
        Some(faults(row.faults(), row.failures.len())),
    ];
    cells.extend(rest.map(|cell| cell.unwrap_or_else(|| "–".to_owned())));
    cells
}

/// What went wrong, in words.
pub fn faults(faults: Faults, failures: usize) -> String {
    let named = [
        (faults.lost, "lost"),
        (faults.repeated, "repeated"),
        (faults.out_of_order, "out of order"),
        (faults.wrong, "wrong"),
    ];
    let mut said: Vec<String> = named
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if failures > 0 {
        said.push(format!("{} failed", counted(failures, "round")));
    }
    if said.is_empty() {
        "none".to_owned()
    } else {
        said.join(", ")
    }
}

fn drawn(line: &[String], widths: &[usize], is_text: impl Fn(usize) -> bool) -> String {
    let mut out = String::from("|");
    for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
        let gap = " ".repeat(width - cell.chars().count());
        let (before, after) = if is_text(column) {
            ("", &gap[..])
        } else {
            (&gap[..], "")
        };
        out.push_str(&format!(" {before}{cell}{after} |"));
    }
    out.push('\n');
    out
}

const COLUMNS: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::{outcome, row, sample};

    fn cells_of(line: &str) -> Vec<&str> {
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    #[test]
    fn a_row_has_the_median_the_spread_and_the_ratios() {
        let outcome = outcome(
            "echo-1",
            vec![
                row("ours", &[3.0, 2.0, 4.0]),
                row("socketioxide", &[6.0]),
                row("floor", &[2.0]),
            ],
        );
        let table = table(&[outcome]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(
            cells_of(lines[2]),
            [
                "echo-1",
                "ours",
                "CPU µs/message",
                "3.00",
                "2.00–4.00",
                "0.50",
                "1.50",
                "–",
                "1,000",
                "100",
                "200",
                "50 %",
                "3.00",
                "none"
            ]
        );
        let lengths = lines.iter().map(|line| line.chars().count());
        assert_eq!(lengths.min(), Some(lines[0].chars().count()));
    }

    #[test]
    fn faults_and_failures_are_named() {
        let mut bad = row("ours", &[]);
        let mut sample = sample(1.0);
        sample.faults.out_of_order = 7;
        bad.rounds = vec![sample, sample];
        bad.failures.push("it ended".to_owned());
        let mut worse = row("floor", &[]);
        worse.failures.push("it never came".to_owned());
        let table = table(&[outcome("echo-1", vec![bad, worse])]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(cells_of(lines[2])[13], "14 out of order, 1 round failed");
        let worse = cells_of(lines[3]);
        assert_eq!((worse[3], worse[13]), ("failed", "1 round failed"));
    }
}
