//! What can be wrong with a database, each as something done to its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::rng::Rng;

/// The files of a database that is not open: beside the file itself, what was not yet moved into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(&'static str, Vec<u8>)>);

const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-lock"];

impl Files {
    pub fn read(database: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for suffix in SUFFIXES {
            match fs::read(beside(database, suffix)) {
                Ok(bytes) => files.push((suffix, bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(files))
    }

    /// Puts these in place of what is there.
    pub fn write(&self, database: &Path) -> io::Result<()> {
        for suffix in SUFFIXES {
            let path = beside(database, suffix);
            match self.of(suffix) {
                Some(bytes) => fs::write(path, bytes)?,
                None if path.exists() => fs::remove_file(path)?,
                None => {}
            }
        }
        Ok(())
    }

    fn of(&self, suffix: &str) -> Option<&Vec<u8>> {
        let found = self.0.iter().find(|(name, _)| *name == suffix);
        found.map(|(_, bytes)| bytes)
    }

    fn put(&mut self, suffix: &'static str, bytes: Vec<u8>) {
        self.0.retain(|(name, _)| *name != suffix);
        self.0.push((suffix, bytes));
    }

    fn remove(&mut self, suffix: &str) {
        self.0.retain(|(name, _)| *name != suffix);
    }

    /// What must be as before when a database was refused. The rest may come and go.
    pub fn content(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| name.is_empty() || *name == "-wal")
                .cloned()
                .collect(),
        )
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sickness {
    Nothing,
    Protected,
    Foreign,
    OtherApplication,
    OlderSchema,
    NewerSchema,
    /// Another process has it and does not let go.
    Busy,
    Emptied,
    /// What was written last, and not yet moved into the file.
    NoWriteAheadLog,
    NoSharedMemory,
    OlderBackup,
    /// And nothing of what was beside the file.
    OlderBackupAlone,
    /// With all that was beside the file, so that nothing there tells it.
    WholeFolder,
    /// The file of the backup with the write-ahead log of later.
    MixedBackup,
    /// A message is damaged while the server runs.
    DamagedLater,
    Truncated,
    TruncatedWriteAheadLog,
    FlippedBytes,
    FlippedWriteAheadLog,
}

impl Sickness {
    pub const ALL: [Self; 19] = [
        Self::Nothing,
        Self::Protected,
        Self::Foreign,
        Self::OtherApplication,
        Self::OlderSchema,
        Self::NewerSchema,
        Self::Busy,
        Self::Emptied,
        Self::NoWriteAheadLog,
        Self::NoSharedMemory,
        Self::OlderBackup,
        Self::OlderBackupAlone,
        Self::WholeFolder,
        Self::MixedBackup,
        Self::DamagedLater,
        Self::Truncated,
        Self::TruncatedWriteAheadLog,
        Self::FlippedBytes,
        Self::FlippedWriteAheadLog,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "killed, and nothing else",
            Self::Protected => "read-only file",
            Self::Foreign => "not a database",
            Self::OtherApplication => "another application's",
            Self::OlderSchema => "an older schema",
            Self::NewerSchema => "a newer schema",
            Self::Busy => "held by another process",
            Self::Emptied => "an empty file",
            Self::NoWriteAheadLog => "no write-ahead log",
            Self::NoSharedMemory => "no shared memory",
            Self::OlderBackup => "an older backup",
            Self::OlderBackupAlone => "restored without its lock file",
            Self::WholeFolder => "whole folder restored",
            Self::MixedBackup => "an older backup, a newer log",
            Self::DamagedLater => "damaged while it runs",
            Self::Truncated => "truncated",
            Self::TruncatedWriteAheadLog => "write-ahead log truncated",
            Self::FlippedBytes => "flipped bytes",
            Self::FlippedWriteAheadLog => "write-ahead log flipped",
        }
    }

    /// Whether chance has a part in it, so that it is worth more than one look.
    pub fn varies(self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::TruncatedWriteAheadLog
                | Self::FlippedBytes
                | Self::FlippedWriteAheadLog
        )
    }

    /// Makes a sick copy of good files.
    pub fn spoil(
        self,
        database: &Path,
        good: &Files,
        older: &Files,
        rng: &mut Rng,
    ) -> io::Result<()> {
        let mut files = good.clone();
        match self {
            Self::Nothing
            | Self::Protected
            | Self::OlderSchema
            | Self::NewerSchema
            | Self::DamagedLater
            | Self::Busy => {}
            Self::Foreign => {
                files.remove("-wal");
                files.put("", b"Dear diary, this is no database.\n".repeat(200));
            }
            Self::OtherApplication => {
                files = Files::default();
                files.write(database)?;
                return on(
                    database,
                    "PRAGMA application_id = 7; CREATE TABLE notes (text)",
                );
            }
            Self::Emptied => files.put("", Vec::new()),
            Self::NoWriteAheadLog => files.remove("-wal"),
            Self::NoSharedMemory => files.remove("-shm"),
            Self::OlderBackup | Self::MixedBackup => {
                files.put("", older.of("").cloned().unwrap_or_default());
                files.remove("-shm");
                match older.of("-wal") {
                    Some(log) if self == Self::OlderBackup => files.put("-wal", log.clone()),
                    _ if self == Self::OlderBackup => files.remove("-wal"),
                    _ => {}
                }
            }
            Self::OlderBackupAlone => {
                files = Files::default();
                files.put("", older.of("").cloned().unwrap_or_default());
            }
            Self::WholeFolder => files = older.clone(),
            Self::Truncated => truncate(&mut files, "", rng),
            Self::TruncatedWriteAheadLog => truncate(&mut files, "-wal", rng),
            Self::FlippedBytes => flip(&mut files, "", rng),
            Self::FlippedWriteAheadLog => flip(&mut files, "-wal", rng),
        }
        files.write(database)?;
        match self {
            // There was none before the first, so nothing is known of it but its number.
            Self::OlderSchema => on(
                database,
                "PRAGMA user_version = 0; PRAGMA wal_checkpoint(TRUNCATE)",
            ),
            Self::NewerSchema => on(
                database,
                "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)",
            ),
            Self::Protected => protect(database, true),
            _ => Ok(()),
        }
    }

    /// Takes the database away from everybody, until what is returned is dropped.
    pub fn hold(self, database: &Path) -> io::Result<Option<Connection>> {
        if self != Self::Busy {
            return Ok(None);
        }
        let connection = Connection::open(database).map_err(io::Error::other)?;
        let held = connection.execute_batch("BEGIN EXCLUSIVE");
        held.map_err(io::Error::other)?;
        Ok(Some(connection))
    }

    /// Undoes what writing the good files back does not.
    pub fn cure(self, database: &Path) -> io::Result<()> {
        match self {
            Self::Protected => protect(database, false),
            _ => Ok(()),
        }
    }
}

fn truncate(files: &mut Files, suffix: &'static str, rng: &mut Rng) {
    let mut bytes = files.of(suffix).cloned().unwrap_or_default();
    bytes.truncate(rng.size(0..bytes.len().max(1) as u64));
    files.put(suffix, bytes);
}

fn flip(files: &mut Files, suffix: &'static str, rng: &mut Rng) {
    let mut bytes = files.of(suffix).cloned().unwrap_or_default();
    if bytes.is_empty() {
        return;
    }
    for _ in 0..rng.within(1..9) {
        let place = rng.size(0..bytes.len() as u64);
        bytes[place] ^= 1 << rng.within(0..8);
    }
    files.put(suffix, bytes);
}

fn protect(database: &Path, protected: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(database)?.permissions();
    permissions.set_readonly(protected);
    fs::set_permissions(database, permissions)
}

fn on(database: &Path, statements: &str) -> io::Result<()> {
    Connection::open(database)
        .and_then(|connection| connection.execute_batch(statements))
        .map_err(io::Error::other)
}

/// A file that stands beside a database and is named after it.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
