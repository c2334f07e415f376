//! A start flushes what the process before it may have written and not lived to flush.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use record::Operation;

#[path = "../src/record.rs"]
mod record;

/// Runs the program that is recorded in a folder, and says what it did to the files of that.
fn recorded(library: &Path, folder: &Path, to: &Path) -> Vec<Operation> {
    let status = Command::new(env!("CARGO_BIN_EXE_power-loss"))
        .args(["program", "--durability=full", "--cast=all", "--end=exit"])
        .arg("--answers=3")
        .arg(folder)
        .env("LD_PRELOAD", library)
        .env("POWER_LOSS_FOLDER", folder)
        .env("POWER_LOSS_RECORD", to)
        .status();
    assert!(status.expect("the program").success());
    record::parse(&fs::read(to).expect("a record")).expect("whole")
}

#[test]
fn what_a_killed_process_has_written_is_flushed_before_anything_is_built_on_it() {
    let work = tempfile::tempdir().expect("a folder");
    let library = work.path().join("recorder.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/recorder.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-pthread", "-o"])
        .args([library.as_path(), Path::new(source)])
        .status();
    assert!(compiled.expect("a compiler").success());
    let folder = work.path().join("recorded");
    fs::create_dir(&folder).expect("a folder");
    let folder = fs::canonicalize(folder).expect("a folder");
    recorded(&library, &folder, &work.path().join("first"));
    // It ended without a word, so the write-ahead log is still there.
    let files = ["log.db", "log.db-wal"].map(|name| {
        let file = fs::metadata(folder.join(name)).expect(name);
        assert!(file.len() > 0, "{name}");
        file.ino()
    });
    let second = recorded(&library, &folder, &work.path().join("second"));
    let builds = |operation: &Operation| match operation {
        Operation::Write { inode, .. } | Operation::Truncate { inode, .. } => files.contains(inode),
        Operation::Answered { .. } => true,
        _ => false,
    };
    let before = second.iter().position(builds).expect("it has stored more");
    let flushed = |operation| second[..before].contains(&operation);
    for inode in files {
        assert!(flushed(Operation::Sync { inode }), "{second:?}");
    }
    assert!(flushed(Operation::SyncFolder), "{second:?}");
}
