//! What is aimed at in each scenario, and whether it was reached.

use crate::outcome::{Outcome, Row};
use crate::stats::three_digits;

/// One thing to be reached.
struct Aim {
    scenario: &'static str,
    /// The better of our servers whose names begin like this has to reach it.
    ours: &'static str,
    what: What,
    bound: Bound,
}

/// What is compared.
enum What {
    /// The figure by that of the better one of the servers whose names begin like this.
    Ratio(&'static str),
    /// The 99th percentile of the latency by the lowest of these servers.
    Tail(&'static str),
    /// The figure itself.
    Figure,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(&self, figure: f64) -> bool {
        match *self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    fn text(&self) -> String {
        match *self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }
}

/// An aim and what came of it.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    pub scenario: &'static str,
    pub what: String,
    pub figure: f64,
    pub aim: String,
    pub is_reached: bool,
}

/// The aims of all that was measured, as far as there is something to compare with.
pub fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    let of = |outcome: &Outcome| {
        let name = outcome.scenario.name;
        let aims = AIMS.iter().filter(move |aim| aim.scenario == name);
        aims.filter_map(|aim| verdict(aim, outcome))
            .collect::<Vec<_>>()
    };
    outcomes.iter().flat_map(of).collect()
}

fn verdict(aim: &Aim, outcome: &Outcome) -> Option<Verdict> {
    let ours = outcome.better(aim.ours)?;
    let (what, figure) = match aim.what {
        What::Ratio(family) => (format!("÷ {family}"), outcome.ratio(ours, family)?),
        What::Tail(family) => {
            let theirs = outcome
                .rows
                .iter()
                .filter(|row| row.server.starts_with(family));
            let theirs = theirs.filter_map(tail).min_by(f64::total_cmp)?;
            (format!("p99 ÷ {family}"), tail(ours)? / theirs)
        }
        What::Figure => {
            let unit = outcome.scenario.unit().name();
            (unit.to_owned(), ours.figure()?.median)
        }
    };
    Some(Verdict {
        scenario: aim.scenario,
        what,
        figure,
        aim: aim.bound.text(),
        is_reached: aim.bound.holds(figure),
    })
}

fn tail(row: &Row) -> Option<f64> {
    row.median(|sample| Some(sample.latency?.1))
}

impl Verdict {
    /// As a row of a table.
    pub fn cells(&self) -> [String; 5] {
        [
            self.scenario.to_owned(),
            self.what.clone(),
            three_digits(self.figure),
            self.aim.clone(),
            if self.is_reached { "yes" } else { "no" }.to_owned(),
        ]
    }
}

/// At most so much of the figure of these servers.
const fn ratio(scenario: &'static str, family: &'static str, most: f64) -> Aim {
    Aim {
        scenario,
        ours: "ours",
        what: What::Ratio(family),
        bound: Bound::AtMost(most),
    }
}

const fn figure(scenario: &'static str, bound: Bound) -> Aim {
    Aim {
        scenario,
        ours: "ours",
        what: What::Figure,
        bound,
    }
}

const AIMS: &[Aim] = &[
    ratio("echo-1", "socketioxide", 0.85),
    ratio("echo-1", "floor", 1.10),
    ratio("echo-8", "socketioxide", 0.50),
    ratio("echo-8", "floor", 1.25),
    ratio("object", "socketioxide", 0.65),
    ratio("object", "floor", 1.30),
    ratio("binary", "socketioxide", 0.75),
    ratio("binary", "floor", 1.15),
    ratio("broadcast", "socketioxide", 0.95),
    ratio("broadcast", "floor", 1.05),
    ratio("broadcast-50", "socketioxide", 0.80),
    ratio("broadcast-50", "floor", 1.05),
    Aim {
        scenario: "recovery",
        ours: "recovery-on",
        what: What::Ratio("recovery-off"),
        bound: Bound::AtMost(1.15),
    },
    ratio("rooms", "socketioxide", 0.85),
    ratio("rooms", "floor", 1.05),
    Aim {
        scenario: "rooms",
        ours: "ours",
        what: What::Tail("socketioxide"),
        bound: Bound::AtMost(1.0),
    },
    ratio("polling-1", "socketioxide", 0.75),
    ratio("polling-8", "socketioxide", 0.50),
    ratio("connect", "socketioxide", 0.85),
    ratio("connect", "floor", 1.10),
    ratio("upgrade", "socketioxide", 0.75),
    figure("idle", Bound::AtMost(4.0)),
    ratio("idle", "floor", 0.6),
    figure("disconnect", Bound::AtLeast(80.0)),
    Aim {
        scenario: "durable-500",
        ours: "chat-app",
        what: What::Ratio("node-chat"),
        bound: Bound::AtLeast(10.0),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::{outcome, row};
    use crate::scenario::Scenario;

    #[test]
    fn every_aim_is_of_a_scenario_that_there_is() {
        for aim in AIMS {
            assert!(Scenario::named(aim.scenario).is_some(), "{}", aim.scenario);
        }
    }

    #[test]
    fn the_better_form_is_held_against_the_better_form() {
        let rows = vec![
            row("ours", &[4.0]),
            row("ours-current", &[2.0]),
            row("socketioxide", &[2.5]),
            row("socketioxide-current", &[9.0]),
            row("floor", &[1.0]),
        ];
        let verdicts = verdicts(&[outcome("echo-1", rows)]);
        let cells: Vec<[String; 5]> = verdicts.iter().map(Verdict::cells).collect();
        let expected = [
            ["echo-1", "÷ socketioxide", "0.80", "≤ 0.85", "yes"],
            ["echo-1", "÷ floor", "2.00", "≤ 1.1", "no"],
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn what_was_not_measured_has_no_verdict() {
        assert_eq!(
            verdicts(&[outcome("echo-1", vec![row("ours", &[1.0])])]),
            []
        );
        let recovery = outcome("recovery", vec![row("recovery-on", &[1.0])]);
        assert_eq!(verdicts(&[recovery]), []);
    }

    #[test]
    fn tails_and_figures_have_aims_of_their_own() {
        let rooms = outcome(
            "rooms",
            vec![row("ours", &[1.0]), row("socketioxide", &[2.0])],
        );
        let idle = outcome("idle", vec![row("ours", &[4.5])]);
        let whats = |outcome| -> Vec<(String, bool)> {
            let verdicts = verdicts(&[outcome]).into_iter();
            verdicts.map(|it| (it.what, it.is_reached)).collect()
        };
        let expected = [("÷ socketioxide", true), ("p99 ÷ socketioxide", true)];
        assert_eq!(
            whats(rooms),
            expected.map(|(what, is)| (what.to_owned(), is))
        );
        assert_eq!(whats(idle), [("KiB/connection".to_owned(), false)]);
    }
}
