//! Measures Socket.IO servers against each other: ours, its peers, and a floor that is no more than WebSocket.
//!
//! ```sh
//! protocol-tests/bench/run all --plot bench.svg   # builds everything, then takes 25 minutes
//! protocol-tests/bench/run all --quick            # less than five minutes
//! protocol-tests/bench/run echo-8 rooms           # each scenario alone
//! protocol-tests/bench/run growth --quick         # what a message costs the more there is of something
//! protocol-tests/bench/run --list                 # the scenarios and the servers
//! protocol-tests/bench/run echo-1 --server 'mine=./my-server --port {port}'
//! ```
//!
//! `run` builds the servers and installs those on Node; `cargo run --release -p bench -- …` takes what is there and says
//! what is missing. `--help` has all options. It needs Linux, and two cores to keep server and generator apart.
//!
//! # How it measures
//!
//! A server is started anew for every scenario and round, on a core of its own, while the generator has the other one.
//! The servers take turns (A B A B), so that what the machine does meanwhile falls on all of them. After a warm-up of a
//! quarter of the time, messages and the server's CPU time (user and system, all threads) are counted over the same
//! stretch. The figure is what a message, a delivery or a connection costs the server, and so depends little on how
//! fast the generator is; the table also says how much of its core the server was using. Of all rounds it has the
//! median, the lowest and the highest, and the ratio of the medians to the better form of socketioxide and of the floor.
//! The forms are the multi-thread and the current-thread runtime, of ours as of those; our workers have a row of their
//! own, where they have more than one core. Absolute values hold for one machine on one day; the ratios in one run are
//! what counts. A second table says for the better form of ours what is aimed at, and whether it was reached.
//!
//! Every message that comes back is compared byte for byte with what it has to be, and placed in the order of what was
//! sent. Those that never come, come twice, late or changed are in the column of faults. Where connections are measured
//! each of them says something afterwards, and has to get it back; and a chat is killed in the end, and the rows of its
//! database are counted. A fault of ours, or of a server of the command line, makes the run fail; those of peers are told.
//!
//! # The allocator
//!
//! Ours and the chat run with jemalloc, set to give unused memory back after a second, as it is advised to programs that
//! embed the server; the peers and the floor run with the allocator of the system, as their makers advise nothing. What
//! ours does with that is in the rows `system-malloc`, and in the aims' column `same allocator`; the quick form has them
//! in the scenarios about memory alone, unless they are asked for (`--only`).
//!
//! # What a server has to do
//!
//! The generator speaks Engine.IO 4 and Socket.IO 5 in the main namespace, and expects of these events:
//!
//! | event | arguments | what is to be done |
//! | --- | --- | --- |
//! | `echo` | a string | acknowledge with it |
//! | `object` | `{active, author, body, count, id, tags}` | parse it, and acknowledge with it, keys in this order |
//! | `binary` | an attachment | acknowledge with it |
//! | `broadcast` | a string | emit `broadcast` with it to all, the sender too |
//! | `join` | the name of a room | join it, and acknowledge with its name |
//! | `room` | the name of a room, a string | emit `room` with the string to all in the room, the sender too |
//! | `chat message` | a text, a key | store it; emit `chat message` with the text and its offset, from 1 on, to all; acknowledge with nothing |
//!
//! The last is for the durable scenarios alone, in which the database is a new one each time. What is sent to many may
//! end in one more string, the offset of a server with recovery.
//!
//! # How it is built
//!
//! [`wire`] is the framing by hand, [`conn`], [`client`] and [`fleet`] are many clients on one thread, [`player`] is whom
//! they speak for, [`tally`] judges what they get, [`load`] has what they do, [`scenario`] says who is measured by what,
//! [`process`] and [`server`] are about the other side, and [`outcome`], [`aims`], [`stats`], [`table`] and [`plot`] are
//! what is made of it, which [`report`] and [`context`] put together. [`growth`] is the same with one server and more and more of something.
#![forbid(unsafe_code)]

mod wire;

mod client;
mod clock;
mod conn;
mod fleet;
mod player;

mod load;
mod tally;

mod process;
mod scenario;
mod server;

mod aims;
mod context;
mod outcome;
mod plot;
mod report;
mod stats;
mod svg;
mod table;

mod growth;

mod options;

use std::fs;
use std::io;
use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};
use outcome::{Outcome, Row};
use report::Absent;
use scenario::Scenario;
use server::Server;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        list();
        return ExitCode::SUCCESS;
    }
    let outcome = match &options.command {
        Some(Command::Growth(options)) => growth::run(options),
        None => run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures all that was asked for; says whether every round could be, and nothing was wrong that is held against a
/// server.
fn run(options: &Options) -> io::Result<bool> {
    let (servers, absent) = there(options)?;
    process::raise_file_limit()?;
    let mut outcomes = Vec::new();
    for scenario in options.scenarios() {
        let servers: Vec<&Server> = servers
            .iter()
            .filter(|server| options.wants(server, &scenario))
            .collect();
        outcomes.push(compare(&scenario, &servers, options)?);
    }
    let context = report::context(&outcomes, options);
    println!("{}", report::report(&outcomes, &absent, &context));
    if let Some(file) = &options.plot {
        fs::write(file, plot::svg(&outcomes, &context))?;
    }
    let rows: Vec<&Row> = outcomes.iter().flat_map(|outcome| &outcome.rows).collect();
    Ok(!rows.is_empty() && rows.iter().all(|row| row.is_sound()))
}

/// The servers that can be started, and those that cannot and were not asked for by name.
fn there(options: &Options) -> io::Result<(Vec<Server>, Vec<Absent>)> {
    let scenarios = options.scenarios();
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    for server in options.servers().map_err(io::Error::other)? {
        let is_wanted = |scenario| options.wants(&server, scenario);
        let (name, is_named) = (server.name.clone(), options.is_named(&server));
        match server.missing().map(|path| path.display().to_string()) {
            None => there.push(server),
            Some(missing) if is_named => {
                let text = format!("{name} cannot be measured: there is no {missing}");
                return Err(io::Error::other(text));
            }
            Some(missing) if scenarios.iter().any(is_wanted) => {
                eprintln!("without {name}: there is no {missing}");
                absent.push(Absent { name, missing });
            }
            Some(_) => {}
        }
    }
    Ok((there, absent))
}

/// Measures the servers by one scenario, in turns.
fn compare(scenario: &Scenario, servers: &[&Server], options: &Options) -> io::Result<Outcome> {
    let mut rows: Vec<Row> = servers
        .iter()
        .map(|server| Row {
            server: (*server).clone(),
            rounds: Vec::new(),
            failures: Vec::new(),
        })
        .collect();
    for round in 1..=options.rounds() {
        // Each round begins with another one, so that none is always the first or behind the same one.
        for turn in 0..servers.len() {
            let place = (turn + round - 1) % servers.len();
            let (server, row) = (servers[place], &mut rows[place]);
            let folder = tempfile::tempdir()?;
            let sample =
                scenario.measure(server, &options.effort(), folder.path(), options.cores());
            match sample {
                Ok(sample) => {
                    let (figure, unit) =
                        (stats::three_digits(sample.figure), scenario.unit().name());
                    eprintln!("{} {} {round}: {figure} {unit}", scenario.name, server.name);
                    row.rounds.push(sample);
                }
                Err(error) => {
                    eprintln!("{} {} {round}: {error}", scenario.name, server.name);
                    row.failures.push(error.to_string());
                }
            }
        }
    }
    Ok(Outcome {
        scenario: *scenario,
        rows,
    })
}

fn list() {
    println!("Scenarios:");
    for scenario in Scenario::ALL {
        let (name, about, unit) = (scenario.name, scenario.about, scenario.unit().name());
        println!("  {name:<13} {about} ({unit})");
    }
    println!("\nServers:");
    for server in Server::known() {
        let state = match server.missing() {
            Some(path) => format!("not there: {}", path.display()),
            None => "there".to_owned(),
        };
        println!("  {:<21} {state}", server.name);
    }
}
