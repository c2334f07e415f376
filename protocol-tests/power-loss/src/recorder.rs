//! Runs the program under the recorder: builds recorder.c, and preloads it into processes of this very binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use chaos::rng::Rng;

use crate::disk::Disk;
use crate::loss::{Loss, Manner};
use crate::options::Promise;
use crate::program::{Cast, End};
use crate::record::{self, Operation};

const SOURCE: &str = include_str!("recorder.c");

/// A record is that of several runs in one folder: each begins with what the one before it has left.
const RUNS: [End; 4] = [End::Exit, End::Close, End::Exit, End::Exit];

/// How many are answered after a loss of power, until the next.
const RECOVERED: u64 = 6;

/// The recorder, built and ready to be preloaded.
pub struct Recorder {
    library: PathBuf,
}

impl Recorder {
    /// Builds it in a folder.
    pub fn build(at: &Path) -> Result<Self, String> {
        let (source, library) = (at.join("recorder.c"), at.join("recorder.so"));
        fs::write(&source, SOURCE).map_err(text)?;
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-pthread")
            .output()
            .map_err(|error| format!("{}: {error}", compiler.display()))?;
        if compiled.status.success() {
            Ok(Self { library })
        } else {
            Err(String::from_utf8_lossy(&compiled.stderr).into_owned())
        }
    }

    /// Records runs of the program, with so many answers in each of them. The record stays in the folder `at`.
    pub fn record(
        &self,
        at: &Path,
        promise: Promise,
        answers: u64,
    ) -> Result<Vec<Operation>, String> {
        let folder = at.join("recorded");
        fs::create_dir(&folder).map_err(text)?;
        let path = record_path(at);
        for end in RUNS {
            self.run(&folder, &path, promise, Cast::All, end, answers)?;
        }
        let record = read(at)?;
        compare(&record, Disk::new(false), &folder)?;
        Ok(record)
    }

    /// Records into the file `to` how somebody goes on in a folder that a loss of power has left, as on `found`.
    pub fn record_recovery(
        &self,
        folder: &Path,
        found: Disk,
        to: &Path,
        promise: Promise,
        end: End,
    ) -> Result<Vec<Operation>, String> {
        match fs::remove_file(to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(text(error)),
            _ => self.run(folder, to, promise, Cast::Newcomers, end, RECOVERED)?,
        }
        let record = record::parse(&fs::read(to).map_err(text)?)?;
        compare(&record, found, folder)?;
        Ok(record)
    }

    fn run(
        &self,
        folder: &Path,
        record: &Path,
        Promise { durability, keep }: Promise,
        cast: Cast,
        end: End,
        answers: u64,
    ) -> Result<(), String> {
        let folder = fs::canonicalize(folder).map_err(text)?;
        let program = std::env::current_exe().map_err(text)?;
        let keep = keep.map(|keep| format!("--keep={keep}"));
        let run = Command::new(&program)
            .args(["program", "--durability", &word(&durability)])
            .args(["--cast", &word(&cast), "--end", &word(&end)])
            .args(["--answers", &answers.to_string()])
            .args(keep)
            .arg(&folder)
            .env("LD_PRELOAD", &self.library)
            .env("POWER_LOSS_FOLDER", &folder)
            .env("POWER_LOSS_RECORD", record)
            .output()
            .map_err(text)?;
        if run.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&run.stderr);
        Err(format!(
            "the recorded program failed: {}: {said}",
            run.status
        ))
    }
}

/// A record with nothing missing leads to just what is in the folder. Otherwise it would prove nothing.
fn compare(record: &[Operation], mut disk: Disk, folder: &Path) -> Result<(), String> {
    for operation in record {
        disk.apply(operation)?;
    }
    let recorded = disk.after(&mut Loss::new(Manner::Everything, Rng::of(0, 0)));
    let mut names = Vec::new();
    for file in fs::read_dir(folder).map_err(text)? {
        let file = file.map_err(text)?;
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
        let found = fs::read(folder.join(name)).map_err(text)?;
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

fn record_path(at: &Path) -> PathBuf {
    at.join("record")
}

fn word(value: &impl clap::ValueEnum) -> String {
    let word = value.to_possible_value();
    word.map_or_else(String::new, |word| word.get_name().to_owned())
}

fn text(error: io::Error) -> String {
    error.to_string()
}
