//! What came out: for each scenario and server the rounds, summed up and compared.

use crate::scenario::{Sample, Scenario};
use crate::server::{Family, Server};
use crate::stats::{Summary, summary};
use crate::tally::Faults;

/// The rounds of one server in one scenario.
#[derive(Debug, Clone)]
pub struct Row {
    pub server: Server,
    pub rounds: Vec<Sample>,
    /// Why a round could not be measured.
    pub failures: Vec<String>,
}

/// All that was measured by a scenario.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub scenario: Scenario,
    pub rows: Vec<Row>,
}

impl Row {
    pub fn figure(&self) -> Option<Summary> {
        self.summary(|sample| Some(sample.figure))
    }

    /// The median of something that each round has.
    pub fn median(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.summary(of).map(|summary| summary.median)
    }

    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for round in &self.rounds {
            faults.add(round.faults);
        }
        faults
    }

    /// Whether every round could be measured, and the server has made no fault that is held against it.
    pub fn is_sound(&self) -> bool {
        let is_faultless = self.faults() == Faults::default();
        self.failures.is_empty() && (is_faultless || !self.server.is_judged)
    }

    fn summary(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<Summary> {
        summary(self.rounds.iter().filter_map(of))
    }
}

impl Outcome {
    /// The rows of all forms of a server.
    pub fn forms(&self, family: Family) -> impl Iterator<Item = &Row> {
        let rows = self.rows.iter();
        rows.filter(move |row| row.server.family == Some(family))
    }

    /// The row of the better form of a server.
    pub fn better(&self, family: Family) -> Option<&Row> {
        let measured = self
            .forms(family)
            .filter_map(|row| Some((row, row.figure()?.median)));
        let is_lower_better = self.scenario.unit().is_better_when_lower();
        let better = measured.min_by(|(_, one), (_, other)| {
            let order = one.total_cmp(other);
            if is_lower_better {
                order
            } else {
                order.reverse()
            }
        });
        better.map(|(row, _)| row)
    }

    /// A row's figure by that of the better form of a server.
    pub fn ratio(&self, row: &Row, family: Family) -> Option<f64> {
        let reference = self.better(family)?.figure()?.median;
        // What was not used or given back at all is no measure of anything.
        (reference > 0.0).then_some(row.figure()?.median / reference)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn sample(figure: f64) -> Sample {
        Sample {
            figure,
            per_second: 1_000.0,
            latency: Some((100.0, 200.0)),
            busy: 0.5,
            resident: 3 << 20,
            faults: Faults::default(),
            stored: None,
        }
    }

    /// Of a server that is known, or else of one as the command line gives it.
    pub fn row(name: &str, figures: &[f64]) -> Row {
        let known = Server::known().into_iter().find(|it| it.name == name);
        let given = || Server::parse(&format!("{name}=./it {{port}}")).expect("good");
        Row {
            server: known.unwrap_or_else(given),
            rounds: figures.iter().copied().map(sample).collect(),
            failures: Vec::new(),
        }
    }

    pub fn outcome(scenario: &str, rows: Vec<Row>) -> Outcome {
        let scenario = Scenario::named(scenario).expect("known");
        Outcome { scenario, rows }
    }

    #[test]
    fn a_ratio_is_to_the_better_form_of_a_server() {
        let rows = || {
            vec![
                row("ours", &[2.0, 3.0, 9.0]),
                row("socketioxide", &[6.0]),
                row("socketioxide-current", &[4.0]),
            ]
        };
        let lower = outcome("echo-1", rows());
        let of = Family::Socketioxide;
        assert_eq!(lower.ratio(&lower.rows[0], of), Some(0.75));
        let higher = outcome("disconnect", rows());
        assert_eq!(higher.ratio(&higher.rows[0], of), Some(0.5));
        assert_eq!(lower.ratio(&lower.rows[0], Family::Floor), None);
    }

    #[test]
    fn a_server_that_is_called_like_others_is_none_of_their_forms() {
        let rows = vec![
            row("ours", &[2.0]),
            row("floor-mine", &[0.5]),
            row("ours-workers", &[0.5]),
        ];
        let outcome = outcome("echo-1", rows);
        assert!(outcome.better(Family::Floor).is_none());
        let ours = outcome.better(Family::Ours).expect("measured");
        assert_eq!(ours.server.name, "ours");
    }

    #[test]
    fn faults_are_held_against_servers_of_ours_and_of_the_command_line() {
        for (name, is_sound) in [("ours", false), ("mine", false), ("node", true)] {
            let mut row = row(name, &[1.0, 1.0]);
            assert!(row.is_sound(), "{name}");
            row.rounds[1].faults.repeated = 1;
            assert_eq!(row.is_sound(), is_sound, "{name}");
            row.failures.push("it ended".to_owned());
            assert!(!row.is_sound(), "{name}");
        }
    }
}
