//! Allocations per operation and per message, counted and held against [`budget`]. Counts are the same on any machine
//! and under any load, which times are not.
//!
//! The other test is about what stays: the bytes that idle sessions hold, and what is left when they have gone. The tests
//! take turns, since all of a process is counted. To see every count:
//! `cargo test -p socketio --test allocations -- --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod budget;
mod codecs;
mod held;
mod peer;
mod server;

use std::sync::{Mutex, PoisonError};

use dhat::HeapStats;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// What was measured, and how many allocations one turn of it makes.
type Count = (&'static str, f64);

#[test]
fn nothing_allocates_more_than_its_budget() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut counts = codecs::counts();
    counts.extend(server::counts());

    let names: Vec<&str> = counts.iter().map(|(name, _)| *name).collect();
    let budgeted: Vec<&str> = budget::BUDGET.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, budgeted, "what is measured, and what has a budget");

    let mut over = Vec::new();
    for ((name, count), (_, budget)) in counts.iter().zip(budget::BUDGET) {
        println!("{count:7.2} of {budget:3}  {name}");
        if *count > f64::from(*budget) + AMORTISED {
            over.push(format!("{name}: {count:.2} allocations, and not {budget}"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn quiet_sessions_hold_little_and_leave_nothing_behind() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    held::check();
}

/// Of the tests.
static TURN: Mutex<()> = Mutex::new(());

/// Buffers and tables that grow now and then are paid for by many messages: so much of an allocation is none.
const AMORTISED: f64 = 0.1;

/// How many times each operation is counted.
const TURNS: usize = 100;

/// The allocations of one turn. The first ones are not counted, which make what is there once.
fn count(name: &'static str, mut operation: impl FnMut()) -> Count {
    for _ in 0..2 {
        operation();
    }
    let counts = [(); REPEATS].map(|()| {
        let before = allocations();
        for _ in 0..TURNS {
            operation();
        }
        allocations() - before
    });
    (name, per_turn(counts))
}

/// The lowest count is the operation's own: now and then the thread that waits for the test allocates as well.
fn per_turn(counts: [u64; REPEATS]) -> f64 {
    counts.into_iter().min().unwrap_or_default() as f64 / TURNS as f64
}

const REPEATS: usize = 2;

fn allocations() -> u64 {
    HeapStats::get().total_blocks
}
