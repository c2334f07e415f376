//! Runs this program once more, under callgrind, and reads what it has counted.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The argument that says that this is the run which is counted.
pub const UNDER: &str = "--under-callgrind";

/// The instructions of each call of `measured`, of which there have to be so many.
pub fn counts(expected: usize) -> io::Result<Vec<u64>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args(["--dump-before", "--dump-after"].map(|when| format!("{when}={MEASURED}")))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .arg(UNDER)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("valgrind: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("it has failed: {said}")));
    }
    // Every other dump is what went on between two calls.
    let dumps = (1..=expected).map(|number| folder.path().join(format!("out.{}", 2 * number)));
    dumps.map(|dump| count(&dump)).collect()
}

/// The function that does what is to be counted.
const MEASURED: &str = "instructions::measured";

/// The total of a dump that was made at the end of a call.
fn count(file: &Path) -> io::Result<u64> {
    let dump = fs::read_to_string(file).map_err(|error| {
        io::Error::new(error.kind(), "a call is missing that was to be counted")
    })?;
    total(&dump)
}

fn total(dump: &str) -> io::Result<u64> {
    if !dump.contains("Trigger: --dump-after") {
        return Err(io::Error::other("calls and dumps do not fit together"));
    }
    let total = dump
        .lines()
        .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("a dump without a total"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dump_at_the_end_of_a_call_has_a_count() {
        let dump = |when: &str, end: &str| {
            let name = "instructions::measured";
            format!("version: 1\ndesc: Trigger: --dump-{when}={name}\nevents: Ir\n{end}")
        };
        let good = total(&dump("after", "fn=(1) main\n1 7\ntotals: 359148\n"));
        assert_eq!(good.expect("a count"), 359_148);
        assert!(total(&dump("before", "totals: 359148\n")).is_err());
        assert!(total(&dump("after", "")).is_err());
    }
}
