//! The options of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::growth;
use crate::load::Extent;
use crate::scenario::{Effort, Scenario};
use crate::server::{Cores, Server};

/// Measures Socket.IO servers against each other.
///
/// For each scenario the servers are measured one after the other, and that as many times as there are rounds (A B A
/// B). Each time a server is started anew, on a core of its own. Every message that comes back is checked.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Options {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What to run: `all`, or the names of scenarios, which `--list` tells
    #[arg(required_unless_present = "list", value_parser = scenario)]
    scenarios: Vec<Chosen>,

    /// Lists the scenarios and the servers, and runs nothing
    #[arg(long)]
    pub list: bool,

    /// All in less than five minutes: little more than half a second each, two rounds, fewer connections
    #[arg(long)]
    quick: bool,

    /// How many times each server is measured; 3 if not given
    #[arg(long)]
    rounds: Option<usize>,

    /// How long messages are counted each time; 5 if not given
    #[arg(long)]
    seconds: Option<f64>,

    /// How many messages each sender sends, instead of as many as it can in some time
    #[arg(long, conflicts_with = "seconds")]
    messages: Option<u64>,

    /// How many clients there are, instead of the number that each scenario has
    #[arg(long)]
    clients: Option<usize>,

    /// For how many seconds idle connections are held, and how long a server has after a mass disconnect
    #[arg(long)]
    hold: Option<f64>,

    /// The servers that are measured, by name; all if not given
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Another server, as `name=command` with `{port}` where its port goes and, for a chat, `{database}`. A server
    /// of that name that is known is replaced
    #[arg(long, value_name = "NAME=COMMAND", value_parser = Server::parse)]
    server: Vec<Server>,

    /// The cores of the server and of the generator; `none` lets the system choose
    #[arg(long, default_value = "0,1", value_name = "SERVER,GENERATOR", value_parser = cores)]
    cores: Pinning,

    /// Draws the table into this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// What is done instead.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    Growth(growth::Options),
}

#[derive(Debug, Clone)]
enum Chosen {
    All,
    One(Scenario),
}

/// Whether servers and generator are kept apart.
#[derive(Debug, Clone, Copy)]
pub struct Pinning(pub Option<Cores>);

impl Options {
    pub fn scenarios(&self) -> Vec<Scenario> {
        let chosen = self.scenarios.iter().flat_map(|chosen| match chosen {
            Chosen::All => Scenario::ALL.to_vec(),
            Chosen::One(scenario) => vec![*scenario],
        });
        chosen.collect()
    }

    /// The servers to be measured.
    pub fn servers(&self) -> Result<Vec<Server>, String> {
        let is_given = |name: &str| self.server.iter().any(|server| server.name == name);
        let mut servers = Server::known();
        servers.retain(|server| !is_given(&server.name));
        servers.extend(self.server.iter().cloned());
        for name in &self.only {
            if !servers.iter().any(|server| server.name == *name) {
                return Err(format!("no server is called {name}; --list names them"));
            }
        }
        if !self.only.is_empty() {
            servers.retain(|server| self.only.contains(&server.name));
        }
        Ok(servers)
    }

    pub fn effort(&self) -> Effort {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.6 } else { 5.0 });
        let hold = self.hold.unwrap_or(if self.quick { 1.5 } else { 10.0 });
        Effort {
            extent: match self.messages {
                Some(messages) => Extent::Messages(messages),
                None => Extent::Time(Duration::from_secs_f64(seconds)),
            },
            clients: self.clients,
            is_quick: self.quick,
            hold: Duration::from_secs_f64(hold),
        }
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 3 })
    }

    pub fn cores(&self) -> Option<Cores> {
        self.cores.0
    }
}

fn scenario(name: &str) -> Result<Chosen, String> {
    if name == "all" {
        return Ok(Chosen::All);
    }
    Scenario::named(name)
        .map(Chosen::One)
        .ok_or_else(|| "no scenario is called that; --list names them".to_owned())
}

pub fn cores(text: &str) -> Result<Pinning, String> {
    if text == "none" {
        return Ok(Pinning(None));
    }
    let pair = text
        .split_once(',')
        .and_then(|(server, generator)| Some((server.parse().ok()?, generator.parse().ok()?)));
    let (server, generator) = pair.ok_or("write them as 0,1, or none")?;
    Ok(Pinning(Some(Cores { server, generator })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn another_server_replaces_one_of_its_name() {
        let words = [
            "bench",
            "echo-1",
            "--server",
            "node=./mine {port}",
            "--only",
            "node",
        ];
        let options = Options::parse_from(words);
        let servers = options.servers().expect("known");
        assert_eq!(servers.len(), 1);
        assert_eq!(servers[0].missing(), Some("./mine".into()));
        assert_eq!(options.scenarios()[0].name, "echo-1");
    }

    #[test]
    fn growth_has_options_of_its_own() {
        let options = Options::parse_from(["bench", "growth", "rooms", "--quick"]);
        let Some(Command::Growth(growth)) = options.command else {
            panic!("not growth");
        };
        let names: Vec<&str> = growth.series().iter().map(|it| it.name()).collect();
        assert_eq!(names, ["rooms"]);
        assert!(Options::try_parse_from(["bench", "growth", "roms"]).is_err());
    }

    #[test]
    fn unknown_scenarios_and_servers_are_refused() {
        assert!(Options::try_parse_from(["bench", "echo-9"]).is_err());
        let options = Options::parse_from(["bench", "all", "--only", "nobody"]);
        assert!(options.servers().is_err());
    }
}
