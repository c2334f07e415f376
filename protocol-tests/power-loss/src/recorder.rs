//! Runs the program under the recorder: builds recorder.c, and preloads it into processes of this very binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk::Disk;
use crate::loss::{Loss, Manner};
use crate::options::Durability;
use crate::program::End;
use crate::record::{self, Operation};
use crate::rng::Rng;

const SOURCE: &str = include_str!("recorder.c");

/// A record is that of several runs in one folder: each begins with what the one before it has left.
const RUNS: [End; 4] = [End::Exit, End::Close, End::Exit, End::Exit];

/// Records runs of the program, with so many answers in each of them. The record stays in the folder `at`.
pub fn record(at: &Path, durability: Durability, answers: u64) -> Result<Vec<Operation>, String> {
    let library = build(at)?;
    let folder = at.join("recorded");
    fs::create_dir(&folder).map_err(|error| error.to_string())?;
    let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
    let path = record_path(at);
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    for end in RUNS {
        let [durability, end] = [word(&durability), word(&end)];
        let run = Command::new(&program)
            .args(["program", "--durability", &durability, "--end", &end])
            .args(["--answers", &answers.to_string()])
            .arg(&folder)
            .env("LD_PRELOAD", &library)
            .env("POWER_LOSS_FOLDER", &folder)
            .env("POWER_LOSS_RECORD", &path)
            .output()
            .map_err(|error| error.to_string())?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            return Err(format!(
                "the recorded program failed: {}: {said}",
                run.status
            ));
        }
    }
    let record = read(at)?;
    compare(&record, &folder)?;
    Ok(record)
}

/// A record with nothing missing leads to just what is in the folder. Otherwise it would prove nothing.
fn compare(record: &[Operation], folder: &Path) -> Result<(), String> {
    let mut disk = Disk::new(false);
    for operation in record {
        disk.apply(operation)?;
    }
    let recorded = disk.after(&mut Loss::new(Manner::Everything, Rng::of(0, 0)));
    let mut names = Vec::new();
    for file in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let file = file.map_err(|error| error.to_string())?;
        names.push(file.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name != record::ANSWERS);
    names.sort();
    if !names.iter().eq(recorded.keys()) {
        let recorded = recorded.keys();
        return Err(format!(
            "{names:?} are there, and recorded are {recorded:?}"
        ));
    }
    let files = recorded.iter();
    for (name, bytes) in files.filter(|(name, _)| !name.ends_with("-shm")) {
        let found = fs::read(folder.join(name)).map_err(|error| error.to_string())?;
        if found != *bytes {
            return Err(format!("{name} holds something that was not recorded"));
        }
    }
    Ok(())
}

/// The record that stays in a folder.
pub fn read(at: &Path) -> Result<Vec<Operation>, String> {
    let path = record_path(at);
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    record::parse(&bytes)
}

fn build(at: &Path) -> Result<PathBuf, String> {
    let (source, library) = (at.join("recorder.c"), at.join("recorder.so"));
    fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-pthread")
        .output()
        .map_err(|error| format!("{}: {error}", compiler.display()))?;
    if compiled.status.success() {
        Ok(library)
    } else {
        Err(String::from_utf8_lossy(&compiled.stderr).into_owned())
    }
}

fn record_path(at: &Path) -> PathBuf {
    at.join("record")
}

fn word(value: &impl clap::ValueEnum) -> String {
    let word = value.to_possible_value();
    word.map_or_else(String::new, |word| word.get_name().to_owned())
}
