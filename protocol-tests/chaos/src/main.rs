//! Runs a chat server under faults and checks that nothing acknowledged is lost, repeated or reordered.
//!
//! Read `checker` for what is checked, `run` for how a run goes, and `nemesis` and `proxy` for what is done to it.

mod report;
mod sabotage;

mod run;
mod world;

mod client;
mod official;
mod reader;
mod writer;

mod disk;
mod nemesis;
mod proxy;
mod server;
mod sick;
mod stored;

mod options;

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::process::ExitCode;

use chaos::{answer, checker, clock, content, history, rng};
use clap::Parser;

use checker::Verdict;
use options::{Command, Options};
use run::{Past, Plan};

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Options::parse().command {
        Command::Run(options) => play(&options.plan(), options.history.as_deref()).await,
        Command::Replays(options) => play(&options.plan(), options.history.as_deref()).await,
        Command::Upgrades(options) => play(&options.plan(), options.history.as_deref()).await,
        Command::Control { seed } => control(&options::control(seed)).await,
        Command::Crashes {
            seed,
            times,
            keep_messages,
            history,
        } => crashes(seed, times, keep_messages, history.as_deref()).await,
        Command::Sick {
            seed,
            times,
            server,
        } => sick::try_all(&options::server(&server), options::seed(seed), times).await,
        Command::Sabotage { faults } => sabotage::catch(&faults).await,
        Command::Check { file } => judge(&file),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a plan; says whether all went well.
async fn play(plan: &Plan, history: Option<&Path>) -> io::Result<bool> {
    println!("seed {}", plan.seed);
    let past = run::run(plan).await?;
    if let Some(path) = history {
        history::write(&past.history, BufWriter::new(File::create(path)?))?;
    }
    let verdict = told(&past)?;
    let is_good = verdict.as_ref().is_some_and(Verdict::is_good);
    if !is_good {
        println!("the run was red, by seed {}", plan.seed);
    }
    match verdict {
        Some(verdict) => tally(&verdict),
        None => println!("# pass 0\n# fail 1"),
    }
    Ok(is_good)
}

/// Lets a server that is built for it crash at each place of its writer.
async fn crashes(
    seed: Option<u64>,
    times: u64,
    keep: Option<u64>,
    history: Option<&Path>,
) -> io::Result<bool> {
    let server = options::start(&sabotage::build(sabotage::CRASH)?);
    play(&options::crashes(seed, times, keep, server), history).await
}

/// Prints what happened, and judges it unless the run broke off.
fn told(past: &Past) -> io::Result<Option<Verdict>> {
    if let Some(why) = &past.broken_off {
        report::print_end(past, why, io::stdout().lock())?;
        return Ok(None);
    }
    let verdict = checker::check(&past.history);
    report::print(past, &verdict, io::stdout().lock())?;
    Ok(Some(verdict))
}

/// A server that is known to lose messages: what does not see that sees nothing.
async fn control(plan: &Plan) -> io::Result<bool> {
    println!(
        "the negative control, which has to be red; seed {}",
        plan.seed
    );
    let verdict = told(&run::run(plan).await?)?;
    let is_red = verdict.as_ref().is_some_and(|verdict| !verdict.is_good());
    println!(
        "\n{}",
        match verdict {
            Some(_) if is_red => "the negative control is red, as it has to be",
            Some(_) => "the negative control is green: the checks see nothing",
            None => "the negative control did not come to its end, and shows nothing",
        }
    );
    println!("# pass {}\n# fail {}", u8::from(is_red), u8::from(!is_red));
    Ok(is_red)
}

/// Judges a history that was kept.
fn judge(file: &Path) -> io::Result<bool> {
    let past = Past {
        history: history::read(BufReader::new(File::open(file)?))?,
        ..Past::default()
    };
    let verdict = checker::check(&past.history);
    report::print(&past, &verdict, io::stdout().lock())?;
    tally(&verdict);
    Ok(verdict.is_good())
}

/// The checks counted as tests are.
fn tally(verdict: &Verdict) {
    let all = checker::Check::ALL;
    let broken = all
        .iter()
        .filter(|check| verdict.count(**check) > 0)
        .count();
    println!("# pass {}\n# fail {broken}", all.len() - broken);
}
