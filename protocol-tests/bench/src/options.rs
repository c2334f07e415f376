//! The options of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rustix::thread::CpuSet;

use crate::context;
use crate::growth;
use crate::load::Extent;
use crate::scenario::{Effort, Scenario};
use crate::server::{Cores, Part, Server};

/// Measures Socket.IO servers against each other.
///
/// For each scenario the servers are measured one after the other, and that as many times as there are rounds (A B A
/// B), each round beginning with another one. Each time a server is started anew, on a core of its own. Every message
/// that comes back is checked. All scenarios take about 25 minutes.
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

    /// All in less than five minutes: little more than half a second each, two rounds, fewer connections and servers
    #[arg(long)]
    quick: bool,

    /// How many times each server is measured; 3 if not given
    #[arg(long)]
    rounds: Option<usize>,

    /// How long messages are counted each time; 3 if not given
    #[arg(long)]
    seconds: Option<f64>,

    /// How many messages each sender sends, instead of as many as it can in some time
    #[arg(long, conflicts_with = "seconds")]
    messages: Option<u64>,

    /// How many clients there are, instead of the number that each scenario has
    #[arg(long)]
    clients: Option<usize>,

    /// For how many seconds idle connections are held, with a heartbeat each second, and how long a server has after a
    /// mass disconnect; 5 if not given
    #[arg(long)]
    hold: Option<f64>,

    /// The servers that are measured, by name; if not given all that say something here
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Another server, as `name=command`
    ///
    /// In the command, whose words may be in quotes, `{port}` is where its port goes, `{ping}` the milliseconds between
    /// heartbeats, and `{database}` the file of a chat. A kind before the name, as in `websocket:name=command`, tells
    /// the scenarios that it is for: `socketio`, `websocket` (no polling), `recovery` or `chat`. It is compared with
    /// the others, and none of them with it; but one with the name of a server that is known is measured instead.
    #[arg(long, value_name = "[KIND:]NAME=COMMAND", value_parser = Server::parse)]
    server: Vec<Server>,

    /// The cores of the server and of the generator; `none` lets the system choose
    ///
    /// Several are written as `0+1`. `ours-workers` is measured where servers have more than one.
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

    /// The servers of which those are measured that are wanted.
    pub fn servers(&self) -> Result<Vec<Server>, String> {
        let mut servers = Server::known();
        for given in &self.server {
            match servers.iter_mut().find(|it| it.name == given.name) {
                Some(known) => *known = given.in_place_of(known),
                None => servers.push(given.clone()),
            }
        }
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

    /// Whether a server was asked for by name.
    pub fn is_named(&self, server: &Server) -> bool {
        self.only.contains(&server.name) || self.server.iter().any(|it| it.name == server.name)
    }

    /// Whether a server is to be measured by a scenario.
    pub fn wants(&self, server: &Server, scenario: &Scenario) -> bool {
        let says_something = match server.part {
            Part::Always => true,
            Part::MemoryIfQuick => !self.quick || scenario.is_about_memory(),
            Part::ManyCores => self.cores().is_none_or(|cores| cores.server.count() > 1),
        };
        scenario.suits(server.kind) && (says_something || self.is_named(server))
    }

    pub fn effort(&self) -> Effort {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.6 } else { 3.0 });
        let hold = self.hold.unwrap_or(if self.quick { 2.0 } else { 5.0 });
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

    /// How much is done, in words.
    pub fn told(&self) -> String {
        let form = if self.quick { "the quick form, " } else { "" };
        let (rounds, effort) = (self.rounds(), self.effort());
        let extent = match effort.extent {
            Extent::Time(time) => format!("{} s", time.as_secs_f64()),
            Extent::Messages(count) => format!("{count} messages of each sender"),
        };
        let hold = effort.hold.as_secs_f64();
        let rounds = context::counted(rounds, "round");
        format!("{form}{rounds} of {extent}, idle connections held for {hold} s")
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
        .and_then(|(server, generator)| Some((set(server)?, set(generator)?)));
    let (server, generator) = pair.ok_or("write them as 0,1 or 0+1,1, or none")?;
    Ok(Pinning(Some(Cores { server, generator })))
}

/// Cores with a `+` between them.
fn set(text: &str) -> Option<CpuSet> {
    let mut cores = CpuSet::new();
    for number in text.split('+') {
        let number = number.parse().ok()?;
        if number >= CpuSet::MAX_CPU {
            return None;
        }
        cores.set(number);
    }
    Some(cores)
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
    fn servers_that_say_nothing_here_are_measured_if_asked_for() {
        let names = |words: &str, scenario| {
            let options = Options::parse_from(words.split(' '));
            let scenario = Scenario::named(scenario).expect("known");
            let servers = options.servers().expect("known").into_iter();
            let names = servers
                .filter(|server| options.wants(server, &scenario))
                .map(|server| server.name);
            names
                .filter(|name| name.contains("malloc") || name.contains("workers"))
                .collect::<Vec<_>>()
        };
        let system = ["system-malloc", "system-malloc-current"];
        assert_eq!(names("bench all --quick", "echo-1"), [""; 0]);
        assert_eq!(names("bench all --quick", "idle"), system);
        assert_eq!(names("bench all", "echo-1"), system);
        let asked = "bench all --quick --only node,ours-workers";
        assert_eq!(names(asked, "echo-1"), ["ours-workers"]);
        for cores in ["none", "0+1,1"] {
            let words = format!("bench all --quick --cores {cores}");
            assert_eq!(names(&words, "echo-1"), ["ours-workers"]);
        }
    }

    #[test]
    fn cores_are_sets() {
        let Pinning(Some(cores)) = cores("0+2,1").expect("good") else {
            panic!("not pinned");
        };
        assert_eq!(
            crate::process::numbers(&cores.server).collect::<Vec<_>>(),
            [0, 2]
        );
        assert_eq!(
            crate::process::numbers(&cores.generator).collect::<Vec<_>>(),
            [1]
        );
        for bad in ["", "0", "0,", "0+,1", "a,b", "100000,1"] {
            assert!(super::cores(bad).is_err(), "{bad}");
        }
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
