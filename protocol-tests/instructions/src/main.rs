//! Counts the instructions of the pure parts of engineio and socketio, and fails when one takes more than it may.
//!
//! ```sh
//! cargo run --release -p instructions     # needs valgrind; a few seconds
//! ```
//!
//! What one operation takes is compared with what another one takes in the same build and the same run: with the least
//! that any code would have to do for it (serde_json alone on the same text, a queue of the standard library), or with
//! itself on a tenth of the input, or with itself where a tenth of something is there. So a limit is a ratio, and means
//! the same with another compiler, processor or libc; numbers of instructions of their own would not, since compilers
//! differ, and what copies, searches or allocates memory is chosen by the processor. That is also why there is no
//! harness whose runner has to be installed in the version of its library.
//!
//! Each limit is less than a third above what was counted when it was set; growth has more room, for trees and allocators.
//! They see a second pass over the input, another copy or a few allocations, and what is quadratic. They do not see a few
//! instructions: to find those, `valgrind --tool=callgrind target/release/instructions --under-callgrind` tells where
//! they are, and the benchmarks of the crates (`cargo bench -p engineio`, `-p socketio`) what they cost in time.
#![forbid(unsafe_code)]

mod callgrind;
mod work;

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

/// Two things to be done, and how many times the second the first may take.
struct Comparison {
    what: &'static str,
    than: &'static str,
    most: f64,
    ours: Box<dyn FnMut()>,
    other: Box<dyn FnMut()>,
}

fn main() -> ExitCode {
    let comparisons = work::comparisons();
    if env::args().any(|argument| argument == callgrind::UNDER) {
        for mut comparison in comparisons {
            run(&mut comparison.ours);
            run(&mut comparison.other);
        }
        return ExitCode::SUCCESS;
    }
    match callgrind::counts(2 * comparisons.len()) {
        Ok(counts) => judge(&comparisons, &counts),
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::from(2)
        }
    }
}

/// Does something often enough before it is counted that tables and buffers have grown.
fn run(operation: &mut dyn FnMut()) {
    for _ in 0..WARM_UP {
        operation();
    }
    measured(black_box(operation));
}

/// What is counted; callgrind knows it by its name.
#[inline(never)]
fn measured(operation: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        operation();
    }
}

fn judge(comparisons: &[Comparison], counts: &[u64]) -> ExitCode {
    let mut failed = 0;
    for (comparison, pair) in comparisons.iter().zip(counts.chunks(2)) {
        let [ours, other] = [pair[0], pair[1]].map(|count| count / TIMES);
        let ratio = ours as f64 / other.max(1) as f64;
        let is_fine = ratio <= comparison.most;
        failed += usize::from(!is_fine);
        println!(
            "{} {ratio:6.2} of {:5.2}   {}: {ours}; {}: {other}",
            if is_fine { "ok  " } else { "MORE" },
            comparison.most,
            comparison.what,
            comparison.than,
        );
    }
    let passed = comparisons.len() - failed;
    let outcome = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {outcome}. {passed} passed; {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

const WARM_UP: u64 = 3;
const TIMES: u64 = 10;
