//! Runs seeds of the simulation, and says by which of them something was wrong.

mod report;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use simulation::plant::Plant;
use simulation::run::{count_panics, run};
use simulation::settings::Settings;

use report::Total;

/// Runs the whole chat on one thread, over a network, a disk and a clock that follow from a seed.
///
/// Each run ends with the checks of `chaos`, and with a look for what the server has kept of clients that are gone.
/// A red run prints its seed and the shortest history that shows the fault; `--seed` repeats it exactly.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How many seeds are run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs this seed alone, twice, and compares every step.
    #[arg(long, env = "SIMULATION_SEED", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Where the history of a single seed goes, a line of JSON for each entry; `chaos check` judges it.
    #[arg(long, requires = "seed")]
    history: Option<PathBuf>,
    /// Plants a fault, which the runs have to find: then it is green that is red.
    #[arg(long, value_parser = plant_of)]
    plant: Option<Plant>,
    /// Runs each seed twice, and compares every step.
    #[arg(long)]
    twice: bool,
    /// How many runs at a time, each on a thread of its own. Default: as many as there are processors.
    #[arg(long)]
    jobs: Option<usize>,
}

fn plant_of(name: &str) -> Result<Plant, String> {
    let names = Plant::ALL.map(Plant::name).join(", ");
    Plant::of_name(name).ok_or(format!("there are {names}"))
}

fn main() -> ExitCode {
    let options = Options::parse();
    count_panics();
    let result = match options.seed {
        Some(seed) => one(seed, &options),
        None => many(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulation: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs one seed and tells everything of it; says whether all is well.
fn one(seed: u64, options: &Options) -> io::Result<bool> {
    println!("{:#?}", Settings::of(seed));
    let past = run(seed, options.plant);
    let again = run(seed, options.plant);
    if let Some(path) = &options.history {
        chaos::history::write(&past.record.history, BufWriter::new(File::create(path)?))?;
    }
    let mut out = io::stdout().lock();
    let mut total = Total::default();
    total.add(&past);
    total.print(&mut out)?;
    report::print_faults(&past, &mut out)?;
    let same = past.is_same(&again);
    let steps = past.record.steps();
    if same {
        writeln!(
            out,
            "the second run was the same in all of its {steps} steps"
        )?;
    } else {
        writeln!(out, "THE SECOND RUN WAS ANOTHER ONE")?;
    }
    Ok(same && past.is_good())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is printed, and decides nothing"
)]
/// Runs seed after seed; says whether all is well, or with a plant, whether it was found.
fn many(options: &Options) -> io::Result<bool> {
    let begun = Instant::now();
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let total = Mutex::new(Total::default());
    let others = AtomicU64::new(0);
    let jobs = options
        .jobs
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let past = run(seed, options.plant);
                    if options.twice && !past.is_same(&run(seed, options.plant)) {
                        println!("seed {seed} was another run the second time");
                        others.fetch_add(1, Ordering::Relaxed);
                    }
                    let mut total = total.lock().expect("nobody panics with it");
                    total.add(&past);
                    if !past.is_good() && total.is_worth_telling() {
                        // What cannot be printed is counted all the same.
                        let _ = report::print_faults(&past, &mut io::stdout().lock());
                    }
                }
            });
        }
    });
    let total = total.into_inner().expect("nobody panics with it");
    let mut out = io::stdout().lock();
    total.print(&mut out)?;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = options.seeds as f64 / seconds;
    writeln!(out, "{rate:.0} seeds a second\n")?;
    let found = total.red_seeds() + others.into_inner();
    match options.plant {
        None => writeln!(out, "# pass {}\n# fail {found}", options.seeds - found)?,
        Some(plant) => writeln!(
            out,
            "{} was found by {found} of {} seeds",
            plant.name(),
            options.seeds
        )?,
    }
    Ok((found > 0) == options.plant.is_some())
}
