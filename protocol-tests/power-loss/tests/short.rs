//! The short form of the replay, and that it can be red.

#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Runs the program with its working files in a folder, and tells whether all was well and what it said.
fn power_loss(folder: &Path, arguments: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_power-loss"))
        .args(arguments.split(' '))
        .env("TMPDIR", folder)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{said}{complaint}"
    );
    (output.status.success(), said)
}

#[test]
fn nothing_answered_is_lost_with_the_power() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, said) = power_loss(
        folder.path(),
        "run --durability full --states 400 --answers 25 --recoveries 15",
    );
    assert!(kept, "{said}");
    assert_eq!(
        said.matches(", 0 with answered events lost").count(),
        3,
        "{said}"
    );
    // The power went a second time, and something was forgotten.
    assert!(!said.contains(" 0 of them after another one"), "{said}");
    assert!(!said.contains(" 0 after a kill"), "{said}");
    let forgotten = said.matches(" 0 with events forgotten").count();
    assert_eq!(forgotten, 2, "{said}");
}

#[test]
fn with_normal_flushes_only_the_newest_are_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, said) = power_loss(
        folder.path(),
        "run --durability normal --states 250 --answers 25 --recoveries 9",
    );
    assert!(kept, "{said}");
}

#[test]
fn a_disk_that_lies_is_found_out_and_again_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, said) = power_loss(
        folder.path(),
        "run --durability full --states 200 --answers 10 --recoveries 0 --lying-disk",
    );
    assert!(!kept, "{said}");
    let red = |said: &str| {
        let lines = said.lines().skip_while(|line| !line.starts_with("RED"));
        lines.take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let again = said.lines().find_map(|line| {
        let line = line.trim().strip_prefix("again: power-loss ")?;
        Some(power_loss(folder.path(), line))
    });
    let (kept, said_again) = again.expect("how to see it again");
    assert!(!kept, "{said_again}");
    assert_eq!(red(&said), red(&said_again));
}

#[test]
fn normal_flushes_do_not_keep_the_promise_of_full_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, said) = power_loss(
        folder.path(),
        "run --durability normal --promise full --states 200 --answers 10 --recoveries 0",
    );
    assert!(!kept, "{said}");
    assert!(said.contains("answered and lost"), "{said}");
}

#[test]
fn a_record_with_something_missing_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    // The recorder is built so that it does not stand in for one of the functions.
    let compiler = folder.path().join("cc");
    fs::write(
        &compiler,
        "#!/bin/sh\nexec cc -Dwrite=nobody_calls_this \"$@\"\n",
    )
    .expect("a script");
    fs::set_permissions(&compiler, Permissions::from_mode(0o755)).expect("executable");
    let output = Command::new(env!("CARGO_BIN_EXE_power-loss"))
        .args(["run", "--states", "4", "--answers", "1"])
        .env("TMPDIR", folder.path())
        .env("CC", &compiler)
        .output()
        .expect("the program");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("recorded"), "{complaint}");
}
