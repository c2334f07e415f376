//! The command line: records and replays, and prints a line for each durability.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::time::Instant;

use crate::options::{Durability, Promise};
use crate::program::{self, Cast, End, Run};
use crate::recorder::{self, Recorder};
use crate::replay::{Plan, Red, Tally, lay_out, replay};

#[derive(Parser)]
#[command(about, long_about = None)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Record the writes of a log, and check what losses of power would leave.
    Run {
        /// Losses of power for each durability.
        #[arg(long, default_value_t = 10_000)]
        states: u64,
        /// Repeats the choices of an earlier run; the record is made anew.
        #[arg(long)]
        seed: Option<u64>,
        /// Only this durability, and not both.
        #[arg(long)]
        durability: Option<Durability>,
        /// Events that are stored in each of the recorded program's four runs.
        #[arg(long, default_value_t = 60)]
        answers: u64,
        /// After so many of the losses, and in place of every other of them after a kill, somebody goes on, and the power
        /// goes again in the middle of that, 12 times each.
        #[arg(long, default_value_t = 400)]
        recoveries: u64,
        /// Judge by this promise, and not by that of the durability.
        #[arg(long)]
        promise: Option<Durability>,
        /// As if the disk flushed nothing: what holds all the same was not worth checking.
        #[arg(long)]
        lying_disk: bool,
    },
    /// Repeat one state of a run that was red; what went on after a first loss is recorded anew.
    Again {
        /// The folder that the run has kept.
        folder: PathBuf,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        states: u64,
        #[arg(long)]
        state: u64,
        #[arg(long)]
        recoveries: u64,
        #[arg(long)]
        promise: Durability,
        #[arg(long)]
        keep: Option<u64>,
        #[arg(long)]
        lying_disk: bool,
    },
    /// The program that is recorded.
    #[command(hide = true)]
    Program {
        folder: PathBuf,
        #[arg(long)]
        durability: Durability,
        #[arg(long)]
        cast: Cast,
        #[arg(long)]
        keep: Option<u64>,
        #[arg(long)]
        end: End,
        #[arg(long)]
        answers: u64,
    },
}

/// How many of the newest events of each stream are kept in those of the records in which some are forgotten.
const KEPT: u64 = 8;

pub fn main() -> ExitCode {
    match run(Options::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all promises were kept.
fn run(command: Command) -> Result<bool, String> {
    match command {
        Command::Run {
            states,
            seed,
            durability,
            answers,
            recoveries,
            promise,
            lying_disk,
        } => {
            let seed = seed.map_or_else(random_seed, Ok)?;
            println!("seed {seed}");
            let durabilities =
                durability.map_or(vec![Durability::Full, Durability::Normal], |one| vec![one]);
            let mut kept = true;
            for durability in durabilities {
                // How a database begins is few operations of a long record, so it has a record of its own.
                let (quarter, third) = (states / 4, recoveries / 3);
                for (answers, keep, states, recoveries) in [
                    (1, None, quarter, third),
                    (answers, None, states - 2 * quarter, recoveries - 2 * third),
                    (answers, Some(KEPT), quarter, third),
                ] {
                    let plan = Plan {
                        seed,
                        states,
                        only: None,
                        recoveries,
                        promise: Promise {
                            durability: promise.unwrap_or(durability),
                            keep,
                        },
                        lies: lying_disk,
                    };
                    kept &= record_and_replay(durability, answers, plan)?;
                }
            }
            Ok(kept)
        }
        Command::Again {
            folder,
            seed,
            states,
            state,
            recoveries,
            promise,
            keep,
            lying_disk,
        } => {
            let plan = Plan {
                seed,
                states,
                only: Some(state),
                recoveries,
                promise: Promise {
                    durability: promise,
                    keep,
                },
                lies: lying_disk,
            };
            let record = recorder::read(&folder)?;
            let recorder = Recorder::build(&folder)?;
            let (_, red) = replay(&recorder, &record, plan, &folder)?;
            if let Some(red) = &red {
                tell(red, plan, &folder);
            }
            Ok(red.is_none())
        }
        Command::Program {
            folder,
            durability,
            cast,
            keep,
            end,
            answers,
        } => {
            let run = Run {
                durability,
                cast,
                keep,
                answers,
                end,
            };
            program::run(&folder, run)?;
            Ok(true)
        }
    }
}

fn record_and_replay(durability: Durability, answers: u64, plan: Plan) -> Result<bool, String> {
    let began = Instant::now();
    let text = |error: std::io::Error| error.to_string();
    let recording = tempfile::Builder::new()
        .prefix("power-loss-")
        .tempdir()
        .map_err(text)?;
    let keep = plan.promise.keep;
    let recorder = Recorder::build(recording.path())?;
    let record = recorder.record(recording.path(), Promise { durability, keep }, answers)?;
    // In memory, flushes cost nothing.
    let memory = Path::new("/dev/shm");
    let work = match tempfile::tempdir_in(memory) {
        Ok(work) => work,
        Err(_) => tempfile::tempdir().map_err(text)?,
    };
    let (tally, red) = replay(&recorder, &record, plan, work.path())?;
    let Tally {
        states,
        with_events,
        most_lost,
        with_losses,
        renamed,
        with_forgotten,
        second,
        after_kill,
    } = tally;
    println!(
        "{durability:?}: {} operations recorded, {states} losses of power in {:.1} s, {second} of them after another \
         one, {after_kill} after a kill behind a write, {with_events} with events, {with_forgotten} with events forgotten, \
         {with_losses} with answered events lost (at most {most_lost}), \
         {renamed} under a new epoch",
        record.len(),
        began.elapsed().as_secs_f64(),
    );
    let Some(red) = red else { return Ok(true) };
    let kept = recording.keep();
    lay_out(&kept, &red.remains).map_err(text)?;
    tell(&red, plan, &kept);
    Ok(false)
}

fn tell(red: &Red, plan: Plan, kept: &Path) {
    let Plan {
        seed,
        states,
        recoveries,
        promise,
        lies,
        ..
    } = plan;
    let keep = promise.keep.map(|keep| format!(" --keep {keep}"));
    println!("RED after {} operations: {}", red.prefix, red.fault);
    println!("  the loss: {}", red.account);
    println!("  what was left: {}", kept.join("state").display());
    println!(
        "  again: power-loss again {} --seed {seed} --states {states} --state {} --recoveries {recoveries} --promise {}{}{}",
        kept.display(),
        red.state,
        format!("{:?}", promise.durability).to_lowercase(),
        keep.unwrap_or_default(),
        if lies { " --lying-disk" } else { "" },
    );
}

fn random_seed() -> Result<u64, String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(u32::from_le_bytes(bytes).into())
}
