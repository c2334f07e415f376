//! What came out: for each scenario and server the rounds, summed up and compared.

use crate::scenario::{Sample, Scenario};
use crate::stats::{Summary, summary};
use crate::tally::Faults;

/// The rounds of one server in one scenario.
#[derive(Debug, Clone)]
pub struct Row {
    pub server: String,
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

    fn summary(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<Summary> {
        summary(self.rounds.iter().filter_map(of))
    }
}

impl Outcome {
    /// The row of the better one of all servers whose names begin like this.
    pub fn better(&self, family: &str) -> Option<&Row> {
        let measured = self
            .rows
            .iter()
            .filter(|row| row.server.starts_with(family))
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

    /// A row's figure by that of the better one of all servers whose names begin like this.
    pub fn ratio(&self, row: &Row, family: &str) -> Option<f64> {
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
        }
    }

    pub fn row(server: &str, figures: &[f64]) -> Row {
        Row {
            server: server.to_owned(),
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
        assert_eq!(lower.ratio(&lower.rows[0], "socketioxide"), Some(0.75));
        let higher = outcome("disconnect", rows());
        assert_eq!(higher.ratio(&higher.rows[0], "socketioxide"), Some(0.5));
        assert_eq!(lower.ratio(&lower.rows[0], "floor"), None);
    }
}
