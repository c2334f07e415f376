//! The options of `bench growth`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::series::Series;
use crate::context;
use crate::server::Cores;

/// Measures what a message costs the more there is of something
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The series to be measured; all if not given: connections, idle, receivers, joined, namespaces, rooms, joins,
    /// recovery, returns
    #[arg(value_parser = series)]
    series: Vec<Series>,

    /// Less than three minutes: two rounds of a quarter of a second each
    #[arg(long)]
    quick: bool,

    /// How many times each size is measured; 5 if not given
    #[arg(long)]
    rounds: Option<usize>,

    /// How long messages are counted each time; 1 if not given
    #[arg(long)]
    seconds: Option<f64>,

    /// The servers that are measured, of `ours` and `floor`; both if not given
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = ["ours", "floor"])]
    only: Vec<String>,

    /// Leaves out what is larger
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true, value_name = "SIZE")]
    pub at_most: usize,

    /// The cores of the server and of the generator; `none` lets the system choose
    #[arg(long, default_value = "0,1", value_name = "SERVER,GENERATOR", value_parser = crate::options::cores)]
    cores: crate::options::Pinning,

    /// Draws the curves into this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

impl Options {
    pub fn series(&self) -> Vec<Series> {
        if self.series.is_empty() {
            Series::ALL.to_vec()
        } else {
            self.series.clone()
        }
    }

    /// Whether a server is to be measured, where it is in a series.
    pub fn wants(&self, server: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == server)
    }

    /// How much is done, in words.
    pub fn told(&self) -> String {
        let (rounds, seconds) = (self.rounds(), self.time().as_secs_f64());
        format!("{} of {seconds} s", context::counted(rounds, "round"))
    }

    pub fn time(&self) -> Duration {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.25 } else { 1.0 });
        Duration::from_secs_f64(seconds)
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    pub fn cores(&self) -> Option<Cores> {
        self.cores.0
    }
}

fn series(name: &str) -> Result<Series, String> {
    let found = Series::ALL.into_iter().find(|series| series.name() == name);
    found.ok_or_else(|| "no series is called that; --help lists them".to_owned())
}
