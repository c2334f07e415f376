//! The file itself: whose it is, who has it, and whether what it says can be trusted.
//!
//! Nothing is flushed to the disk, so after the machine has stopped the end of it may be missing. The system tells one
//! start of the machine from another by a random name, and what was written under another one is thrown away. So is what
//! cannot be read, since it is of no use to anybody else; but never a file that is not ours.

use std::{
    fmt, fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;

/// A file that is ours, for as long as this lives.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// The operating system gives the lock back when the process ends, however it ends.
    _lock: fs::File,
}

/// Why a file of sessions cannot be used: a sentence that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenError(String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl File {
    pub(super) fn open(path: &Path) -> Result<(Self, Connection), OpenError> {
        let shown = path.display();
        look(path)?;
        let file = Self {
            path: path.to_owned(),
            _lock: lock(path)?,
        };
        let connection = match file.prepare() {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "sessions in {shown} cannot be read, so everybody begins anew");
                file.destroy();
                file.prepare().map_err(|error| file.unusable(&error))?
            }
        };
        Ok((file, connection))
    }

    /// A connection as it is used here.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // A thread of its own does that, unless it is never done since there is always more to move: then a writer does.
        connection.pragma_update(None, "wal_autocheckpoint", MAX_WAL_PAGES)?;
        Ok(connection)
    }

    fn prepare(&self) -> rusqlite::Result<Connection> {
        let is_new = fs::metadata(&self.path).is_ok_and(|file| file.len() == 0);
        if is_new || !self.path.exists() {
            // The names of sessions are secrets. SQLite gives its log the same permissions; and if there is something in
            // the way, it is the one to say what.
            let _error = fs::OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path);
            // Before there is a write-ahead log, so that the file itself says whose it is.
            let connection = Connection::open(&self.path)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        let mut connection = self.connect()?;
        let boot = boot();
        let transaction = connection.transaction()?;
        let version: u32 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.execute("INSERT INTO header VALUES ('', 0)", [])?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        } else if version != SCHEMA_VERSION {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let written: String =
            transaction.query_row("SELECT boot FROM header", [], |row| row.get(0))?;
        if boot.as_ref() != Some(&written) {
            transaction.execute_batch(CLEAR)?;
        }
        transaction.execute(
            "UPDATE header SET boot = ?1, run = run + 1",
            [boot.unwrap_or_default()],
        )?;
        transaction.execute_batch(CLEAR_UNUSED)?;
        transaction.commit()?;
        Ok(connection)
    }

    /// Takes the file away, as what it says is not true any more. Who has it open goes on with what has no name.
    pub(super) fn destroy(&self) {
        let mut first = Ok(());
        for suffix in ["", "-wal", "-shm"] {
            let path = beside(&self.path, suffix);
            let removed = fs::remove_file(&path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => fs::OpenOptions::new().write(true).open(&path)?.set_len(0),
            });
            first = first.and(removed);
        }
        if let Err(error) = first {
            tracing::error!(%error, "{} cannot be removed; remove it before the next start", self.path.display());
        }
    }

    pub(super) fn unusable(&self, error: &impl fmt::Display) -> OpenError {
        OpenError(format!("cannot use {}: {error}", self.path.display()))
    }
}

/// Whether the file can be opened as things stand, beside a database of messages. Makes nothing.
pub fn check(path: &Path, messages: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    if place(path) == place(messages) {
        return Err(OpenError(format!(
            "{shown} cannot hold the sessions and the messages; choose another file for one of them"
        )));
    }
    look(path)?;
    match fs::File::open(beside(path, "-lock")) {
        // Given back when this ends.
        Ok(lock) => try_lock(path, &lock),
        Err(_) => Ok(()),
    }
}

/// Where a file is or would be, without detours.
fn place(path: &Path) -> PathBuf {
    let made = || {
        let folder = match path.parent()? {
            folder if folder.as_os_str().is_empty() => Path::new("."),
            folder => folder,
        };
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    fs::canonicalize(path)
        .ok()
        .or_else(made)
        .unwrap_or_else(|| path.to_owned())
}

/// Whether the file is ours, or not there yet.
fn look(path: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    let foreign = || {
        OpenError(format!(
            "{shown} is no file of sessions; choose another one"
        ))
    };
    if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return Err(foreign());
    }
    match read_start(path) {
        Ok(start) if start.is_empty() => Ok(()),
        // As in the description of the file format, sqlite.org/fileformat2.html section 1.3.
        Ok(start) if start.starts_with(b"SQLite format 3\0") => {
            let id = start.get(68..72).unwrap_or_default();
            if id == APPLICATION_ID.to_be_bytes() {
                Ok(())
            } else {
                Err(foreign())
            }
        }
        Ok(_) => Err(foreign()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError(format!("cannot read {shown}: {error}"))),
    }
}

fn read_start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, 100), &mut start)?;
    Ok(start)
}

/// A file of its own, since closing any handle of the database would release SQLite's locks.
fn lock(path: &Path) -> Result<fs::File, OpenError> {
    let shown = path.display();
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(beside(path, "-lock"))
        .map_err(|error| OpenError(format!("cannot write beside {shown}: {error}")))?;
    try_lock(path, &lock)?;
    Ok(lock)
}

fn try_lock(path: &Path, lock: &fs::File) -> Result<(), OpenError> {
    let shown = path.display();
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => {
            Err(OpenError(format!("{shown} is in use by another process")))
        }
        Err(fs::TryLockError::Error(error)) => {
            Err(OpenError(format!("cannot lock {shown}: {error}")))
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The name of this start of the machine. Where the system has none, nothing that was written before is trusted.
fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
}

/// Tells these files from those of other applications, the chat's messages among them.
const APPLICATION_ID: u32 = u32::from_be_bytes(*b"ChSe");

const SCHEMA_VERSION: u32 = 1;

/// How long the write-ahead log gets, about, in pages of 4 KiB: 16 MiB. It begins anew only when all of it is in the file.
pub(super) const MAX_WAL_PAGES: u32 = 4_096;

/// For the moment at which the checkpoint holds up a writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

const CLEAR: &str =
    "DELETE FROM namespace; DELETE FROM event; DELETE FROM session; DELETE FROM value;";

/// Namespaces that the process before this one had no use for.
const CLEAR_UNUSED: &str = "
DELETE FROM namespace WHERE seen < (SELECT run FROM header) - 1;
DELETE FROM event WHERE namespace NOT IN (SELECT namespace FROM namespace);
DELETE FROM session WHERE namespace NOT IN (SELECT namespace FROM namespace);
DELETE FROM value WHERE namespace NOT IN (SELECT namespace FROM namespace);
";
