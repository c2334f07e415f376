//! The server's and the client's session over a fake wire, with a virtual clock and a seeded schedule of upgrade,
//! traffic, delay and loss.
//!
//! `SIMULATION_SEEDS=100000` runs more schedules, `SIMULATION_SEED=7` runs one and tells what happens in it.

mod end;
mod rng;
mod seen;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Instant,
};

use seen::Counts;
use world::World;

const SEEDS: u64 = 3_000;

#[test]
fn what_arrives_is_a_prefix_of_what_was_sent_and_all_of_it_if_both_live() {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary start; the clock then moves by schedule"
    )]
    let start = Instant::now();
    if let Some(seed) = number("SIMULATION_SEED") {
        println!("{:#?}", World::new(start, seed, true).run());
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let mut counts = Counts::default();
    for seed in 0..seeds {
        let run = catch_unwind(AssertUnwindSafe(|| World::new(start, seed, false).run()));
        match run {
            Ok(seen) => counts.add(&seen),
            Err(panic) => {
                eprintln!("SIMULATION_SEED={seed} shows it");
                resume_unwind(panic);
            }
        }
    }
    println!("{counts:#?}");
    counts.assert_all_in(seeds / 100);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
