//! What is aimed at in each scenario, and whether it was reached.

use crate::outcome::{Outcome, Row};
use crate::server::Family;
use crate::stats::three_digits;

/// One thing to be reached.
struct Aim {
    scenario: &'static str,
    /// The better form of this server has to reach it.
    ours: Family,
    what: What,
    bound: Bound,
}

/// What is compared.
enum What {
    /// The figure by that of the better form of this server.
    Ratio(Family),
    /// The 99th percentile of the latency by the lowest of this server's forms.
    Tail(Family),
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
    /// The same of ours with the allocator that all others have, too.
    pub same_allocator: Option<f64>,
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
    let figure = aim.what.of(outcome.better(aim.ours)?, outcome)?;
    let is_ours = aim.ours == Family::Ours;
    let twin = outcome.better(Family::SystemMalloc).filter(|_| is_ours);
    Some(Verdict {
        scenario: aim.scenario,
        what: match aim.what {
            What::Ratio(family) => format!("÷ {}", family.name()),
            What::Tail(family) => format!("p99 ÷ {}", family.name()),
            What::Figure => outcome.scenario.unit().name().to_owned(),
        },
        figure,
        same_allocator: twin.and_then(|row| aim.what.of(row, outcome)),
        aim: aim.bound.text(),
        is_reached: aim.bound.holds(figure),
    })
}

impl What {
    /// What is compared, of a server.
    fn of(&self, row: &Row, outcome: &Outcome) -> Option<f64> {
        match *self {
            Self::Ratio(family) => outcome.ratio(row, family),
            Self::Tail(family) => {
                let theirs = outcome.forms(family).filter_map(tail);
                Some(tail(row)? / theirs.min_by(f64::total_cmp)?)
            }
            Self::Figure => Some(row.figure()?.median),
        }
    }
}

fn tail(row: &Row) -> Option<f64> {
    row.median(|sample| Some(sample.latency?.1))
}

impl Verdict {
    /// As a row of a table.
    pub fn cells(&self) -> [String; 6] {
        let same = self.same_allocator.map(three_digits);
        [
            self.scenario.to_owned(),
            self.what.clone(),
            three_digits(self.figure),
            same.unwrap_or_else(|| "–".to_owned()),
            self.aim.clone(),
            if self.is_reached { "yes" } else { "no" }.to_owned(),
        ]
    }
}

/// At most so much of the figure of these servers.
const fn ratio(scenario: &'static str, family: Family, most: f64) -> Aim {
    Aim {
        scenario,
        ours: Family::Ours,
        what: What::Ratio(family),
        bound: Bound::AtMost(most),
    }
}

const fn figure(scenario: &'static str, bound: Bound) -> Aim {
    Aim {
        scenario,
        ours: Family::Ours,
        what: What::Figure,
        bound,
    }
}

const AIMS: &[Aim] = &[
    ratio("echo-1", Family::Socketioxide, 0.85),
    ratio("echo-1", Family::Floor, 1.10),
    ratio("echo-8", Family::Socketioxide, 0.50),
    ratio("echo-8", Family::Floor, 1.25),
    ratio("object", Family::Socketioxide, 0.65),
    ratio("object", Family::Floor, 1.30),
    ratio("binary", Family::Socketioxide, 0.75),
    ratio("binary", Family::Floor, 1.15),
    ratio("broadcast", Family::Socketioxide, 0.95),
    ratio("broadcast", Family::Floor, 1.05),
    ratio("broadcast-50", Family::Socketioxide, 0.80),
    ratio("broadcast-50", Family::Floor, 1.05),
    Aim {
        scenario: "recovery",
        ours: Family::RecoveryOn,
        what: What::Ratio(Family::RecoveryOff),
        bound: Bound::AtMost(1.15),
    },
    ratio("rooms", Family::Socketioxide, 0.85),
    ratio("rooms", Family::Floor, 1.05),
    Aim {
        scenario: "rooms",
        ours: Family::Ours,
        what: What::Tail(Family::Socketioxide),
        bound: Bound::AtMost(1.0),
    },
    ratio("polling-1", Family::Socketioxide, 0.75),
    ratio("polling-8", Family::Socketioxide, 0.50),
    ratio("connect", Family::Socketioxide, 0.85),
    ratio("connect", Family::Floor, 1.10),
    ratio("upgrade", Family::Socketioxide, 0.75),
    figure("idle", Bound::AtMost(4.0)),
    ratio("idle", Family::Floor, 0.6),
    figure("disconnect", Bound::AtLeast(80.0)),
    Aim {
        scenario: "durable-500",
        ours: Family::ChatApp,
        what: What::Ratio(Family::NodeChat),
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
        let cells: Vec<[String; 6]> = verdicts.iter().map(Verdict::cells).collect();
        let expected = [
            ["echo-1", "÷ socketioxide", "0.80", "–", "≤ 0.85", "yes"],
            ["echo-1", "÷ floor", "2.00", "–", "≤ 1.1", "no"],
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn the_same_allocator_is_compared_beside_and_decides_nothing() {
        let rows = vec![
            row("ours", &[2.0]),
            row("system-malloc", &[5.0]),
            row("system-malloc-current", &[3.0]),
            row("socketioxide", &[4.0]),
        ];
        let verdicts = verdicts(&[outcome("echo-1", rows)]);
        let verdict = verdicts.first().expect("one");
        assert_eq!((verdict.figure, verdict.same_allocator), (0.5, Some(0.75)));
        assert!(verdict.is_reached);
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
