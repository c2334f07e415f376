//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::answer::Contract;
use crate::nemesis::Disaster;
use crate::run::{Ordeal, Plan};

/// What more can be run than the short form of `protocol-tests/run chaos`.
const LONG_RUNS: &str = "\
Long runs, with the release builds of this program and of the chat; protocol-tests/guarantees does them:
  chaos run --kills 500 --disasters hold,lock
  chaos run --kills 100 --disasters hold,lock,full-disk,read-only --keep-messages 2000
  chaos run --kills 20 --disasters long-lock
  chaos run --kills 100 --disasters hold,lock,restore --keep-messages 200
  chaos replays --cuts 10000 --readers 20
  chaos upgrades --times 100
  chaos crashes --times 50
  chaos crashes --times 50 --keep-messages 200
  chaos sick --times 1000
Orderly stops, which may take the ten seconds of grace each:
  chaos run --kills 20 --disasters terminate
Whether the checks see anything:
  chaos control
  chaos sabotage
Another server:
  chaos run --contract tutorial --disasters hold -- node server.js {port} {database}";

/// Runs a chat server under faults and checks that nothing acknowledged is lost, repeated or reordered.
#[derive(Debug, Parser)]
#[command(max_term_width = 100, after_help = LONG_RUNS)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Kills the server under load, and hurts its clients' connections, its database and its disk
    Run(Storm),
    /// Cuts connections in the middle of what their readers catch up with
    Replays(Replays),
    /// Hurts upgrades from polling to WebSocket, at each step in each way
    Upgrades(Upgrades),
    /// Does as `run` does to a server with the tutorial's races, in Node: that has to be red
    Control {
        /// What schedules, faults and contents follow from; random if not given
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Builds the chat so that it crashes at a chosen place of the log's writer, and lets it, at each
    Crashes {
        /// What the moments follow from; random if not given
        #[arg(long)]
        seed: Option<u64>,
        /// How often at each place
        #[arg(long, default_value_t = 5)]
        times: u64,
        /// How many messages the server keeps: it then crashes where it forgets, and otherwise everywhere else
        #[arg(long)]
        keep_messages: Option<u64>,
        /// Where to keep the history
        #[arg(long)]
        history: Option<PathBuf>,
    },
    /// Starts the chat on databases that are damaged, foreign, or restored from a backup
    Sick {
        /// What the damage follows from; random if not given
        #[arg(long)]
        seed: Option<u64>,
        /// How often damage is done where chance has a part in it
        #[arg(long, default_value_t = 25)]
        times: u64,
        /// The server, as for `run`
        #[arg(last = true)]
        server: Vec<String>,
    },
    /// Builds the chat with one planted fault after the other, and sees whether each is caught
    Sabotage {
        /// Which; all of them if none is named
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(crate::sabotage::FAULTS))]
        faults: Vec<String>,
    },
    /// Judges a history that was kept
    Check {
        /// Lines of JSON, as `--history` writes them
        file: PathBuf,
    },
}

/// Who takes part, against which server.
#[derive(Debug, Args)]
pub struct Cast {
    /// What schedules, faults and contents follow from; random if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Clients of our own that write
    #[arg(long, default_value_t = 20)]
    writers: u64,
    /// Clients of our own that read
    #[arg(long, default_value_t = 6)]
    readers: u64,
    /// Official clients in Node, each a writer with the page's outbox and a reader. Every other one also uses `retries`
    #[arg(long, default_value_t = 2)]
    official: u64,
    /// The longest pause of a writer between two messages, in milliseconds
    #[arg(long, default_value_t = 20)]
    think: u64,
    /// What the server says to those who send
    #[arg(long, value_enum, default_value_t = Contract::Chat)]
    contract: Contract,
    /// The server: a command, in which {port} and {database} are filled in. The chat's binary beside this program if
    /// not given
    #[arg(last = true)]
    server: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Storm {
    #[command(flatten)]
    cast: Cast,
    /// How often the server is killed
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// The longest time between two kills, in milliseconds
    #[arg(long, default_value_t = 1_200)]
    pause: u64,
    /// How many of a thousand connections suffer something
    #[arg(long, default_value_t = 400)]
    hurt: u64,
    /// What else is done to the server; those of the disk put the database on a tmpfs
    #[arg(long, value_enum, value_delimiter = ',', default_value = "hold,lock")]
    disasters: Vec<Disaster>,
    /// Leave out what is done to the disk, and say so, where no tmpfs can be mounted. Without this such a run fails
    #[arg(long)]
    without_disk: bool,
    /// Let the chat keep so many messages and forget the older ones. Another server has to be told by its command
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    keep_messages: Option<u64>,
    /// Where to keep the history
    #[arg(long)]
    pub history: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Replays {
    #[command(flatten)]
    cast: Cast,
    /// How many connections are cut
    #[arg(long, default_value_t = 500)]
    cuts: u64,
    /// How many messages there are to catch up with
    #[arg(long, default_value_t = 1_500)]
    rows: u64,
    /// Where to keep the history
    #[arg(long)]
    pub history: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Upgrades {
    #[command(flatten)]
    cast: Cast,
    /// How often at each of the 6 steps in each of the 8 ways
    #[arg(long, default_value_t = 10)]
    times: u64,
    /// Where to keep the history
    #[arg(long)]
    pub history: Option<PathBuf>,
}

impl Storm {
    pub fn plan(&self) -> Plan {
        let ordeal = Ordeal::Storm {
            kills: self.kills,
            pause: 300.min(self.pause / 2)..self.pause.max(1),
            disasters: self.disasters.clone(),
            hurt: self.hurt,
        };
        let mut plan = self.cast.plan(ordeal);
        plan.keep = self.keep_messages;
        plan.without_disk = self.without_disk;
        if let (Some(keep), true) = (plan.keep, self.cast.server.is_empty()) {
            plan.server.push(format!("--keep-messages={keep}"));
        }
        plan
    }
}

impl Replays {
    pub fn plan(&self) -> Plan {
        let ordeal = Ordeal::CutReplays {
            cuts: self.cuts,
            rows: self.rows,
        };
        self.cast.plan(ordeal)
    }
}

impl Upgrades {
    pub fn plan(&self) -> Plan {
        self.cast.plan(Ordeal::Upgrades { times: self.times })
    }
}

/// The plan of the negative control.
pub fn control(seed: Option<u64>) -> Plan {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/node/tutorial.mjs");
    let cast = Cast {
        seed,
        writers: 20,
        readers: 6,
        official: 2,
        think: 20,
        contract: Contract::Tutorial,
        server: ["node", script, "{port}", "{database}"]
            .map(str::to_owned)
            .into(),
    };
    let ordeal = Ordeal::Storm {
        kills: 3,
        pause: 500..1_500,
        disasters: Vec::new(),
        hurt: 400,
    };
    cast.plan(ordeal)
}

/// A plan of crashes at chosen places.
pub fn crashes(seed: Option<u64>, times: u64, keep: Option<u64>, mut server: Vec<String>) -> Plan {
    if let Some(keep) = keep {
        server.push(format!("--keep-messages={keep}"));
    }
    let cast = Cast {
        seed,
        writers: 20,
        readers: 6,
        official: 2,
        think: 10,
        contract: Contract::Chat,
        server,
    };
    let ordeal = Ordeal::Crashes {
        times,
        forgetting: keep.is_some(),
        hurt: 200,
    };
    Plan {
        keep,
        ..cast.plan(ordeal)
    }
}

/// A plan that shows most faults of the log within seconds.
pub fn quick(seed: u64, server: Vec<String>, disasters: &[Disaster]) -> Plan {
    let cast = Cast {
        seed: Some(seed),
        writers: 20,
        readers: 6,
        official: 1,
        think: 10,
        contract: Contract::Chat,
        server,
    };
    let ordeal = Ordeal::Storm {
        kills: 6,
        pause: 100..600,
        disasters: disasters.to_vec(),
        hurt: 300,
    };
    cast.plan(ordeal)
}

impl Cast {
    fn plan(&self, ordeal: Ordeal) -> Plan {
        Plan {
            seed: seed(self.seed),
            contract: self.contract,
            server: server(&self.server),
            writers: self.writers,
            readers: self.readers,
            official: self.official,
            think: self.think,
            keep: None,
            without_disk: false,
            ordeal,
        }
    }
}

/// A seed, by chance if none is given.
pub fn seed(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| u64::from(getrandom::u32().unwrap_or(1)))
}

/// The command that starts the server.
pub fn server(given: &[String]) -> Vec<String> {
    if given.is_empty() {
        chat_app()
    } else {
        given.to_vec()
    }
}

/// The chat's binary, which cargo puts beside this one.
fn chat_app() -> Vec<String> {
    let beside = std::env::current_exe().unwrap_or_default();
    start(&beside.with_file_name("chat-app"))
}

/// The command that starts a binary of the chat.
pub fn start(program: &Path) -> Vec<String> {
    let words = [
        "--listen",
        "127.0.0.1:{port}",
        "--database",
        "{database}",
        "--log",
        "warn",
    ];
    std::iter::once(program.display().to_string())
        .chain(words.map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Options::command().debug_assert();
    }
}
