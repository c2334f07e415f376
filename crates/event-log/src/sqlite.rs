//! The store in an SQLite file: one writing connection in WAL mode, and reading connections beside it.
//!
//! Only this module knows SQLite. `open` decides whether a file is ours to write, `rows` writes batches, `reader` reads
//! pages, `header`, `lock`, `disk` and `boot` are the looks at the system that SQLite does not take.

mod boot;
mod disk;
mod header;
mod lock;
mod open;
mod reader;
mod refusal;
mod rows;
mod schema;
mod transaction;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::batch::apply;
use crate::{Append, Epoch, Offset, Outcome, Reader, Store, StoreError, sabotage};
use lock::{LockFile, Mark};
use reader::Readers;
use rows::{Rows, to_sql};

pub use refusal::OpenError;
pub use rusqlite;
pub use transaction::append_in;

/// How a database is opened. The defaults are for a chat that must not lose anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What an answered append survives. Default: [`Synchronous::Full`], also the loss of power.
    pub synchronous: Synchronous,
    /// How long to wait while another process holds the database, before a batch is answered `Busy`. Default: 5 s.
    pub write_timeout: Duration,
    /// Nothing is written while the disk has fewer bytes of room than this. Default: 64 MiB.
    pub min_free_bytes: u64,
    /// The write-ahead log is moved into the database when it has this many pages, of 4 KiB unless the database was
    /// made with others. Default: 1,000 pages.
    pub wal_autocheckpoint: u32,
    /// The write-ahead log is emptied, waiting for readers if need be, when it is longer than this. Default: 64 MiB.
    pub max_wal_bytes: u64,
    /// A database of up to so many bytes is checked as a whole when it is opened, a larger one only at its ends.
    /// In either case each event is checked when it is read. Default: 64 MiB.
    pub check_up_to_bytes: u64,
    /// Written into a new database and expected of an old one, so that applications do not open each other's.
    /// Default: `EvLg` in ASCII, the first letter in the highest byte.
    pub application_id: u32,
    /// Names the history of a new database; random if `None`. Default: `None`.
    pub new_epoch: Option<Epoch>,
}

/// The durability of an answered append. Both survive the end of the process, however it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// It also survives the loss of power, on a disk that keeps what it has flushed.
    Full,
    /// The newest events may be gone after a loss of power; the database stays sound. On Linux the history then gets
    /// a new epoch, whether something is gone or not, so that no reader takes other events for those it has seen.
    Normal,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            write_timeout: Duration::from_secs(5),
            min_free_bytes: 64 << 20,
            wal_autocheckpoint: 1_000,
            max_wal_bytes: 64 << 20,
            check_up_to_bytes: 64 << 20,
            application_id: u32::from_be_bytes(*b"EvLg"),
            new_epoch: None,
        }
    }
}

/// Events in an SQLite file, which this process alone uses while it lives.
pub struct SqliteStore {
    path: PathBuf,
    options: Options,
    epoch: Epoch,
    /// Missing only between a failed rollback and the next batch.
    connection: Option<Connection>,
    readers: Arc<Readers>,
    /// How many events were ever stored; unknown after a batch whose outcome is.
    events: Option<u64>,
    /// The length of the write-ahead log above which it is emptied.
    checkpoint_above: u64,
    // Released last, when no connection is left.
    lock: Arc<LockFile>,
}

impl SqliteStore {
    /// Opens a database or makes a new one, and refuses what is not its own without touching it.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        open::open(path.as_ref(), options)
    }

    /// Where the database is, without detours.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open::connect(&self.path, &self.options).map_err(store_error)?,
        };
        Ok(self.connection.insert(connection))
    }

    fn transact<T>(
        &mut self,
        run: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.connection()?;
        let result = transact(connection, run);
        if !connection.is_autocommit() {
            // Not even the rollback went through. A new connection begins from what is in the file.
            self.connection = None;
        }
        result
    }

    /// Refuses to fill the disk to the last byte, which other programs need too.
    fn check_room(&self) -> Result<(), StoreError> {
        let least = self.options.min_free_bytes;
        match disk::free_bytes(&self.path) {
            Some(free) if free < least => Err(StoreError::Unavailable(format!(
                "{free} bytes are left on the disk, and {least} are to stay free"
            ))),
            _ => Ok(()),
        }
    }

    /// What is worth doing after a commit and may fail without harm.
    fn after_commit(&mut self, new: u64) {
        let events = match self.events {
            Some(events) => Some(events + new),
            None => self
                .connection
                .as_ref()
                .and_then(|connection| count_events(connection).ok()),
        };
        self.events = events;
        if let Some(events) = events.filter(|_| new > 0)
            && let Err(error) = self.lock.remember(Mark {
                epoch: self.epoch,
                events,
            })
        {
            tracing::debug!(%error, "the mark beside the database cannot be written");
        }
        self.shorten_wal();
    }

    /// Empties a write-ahead log that readers have kept from being moved into the database for too long.
    fn shorten_wal(&mut self) {
        let wal_bytes = || fs::metadata(beside(&self.path, "-wal")).map_or(0, |wal| wal.len());
        let before = wal_bytes();
        if before <= self.checkpoint_above && !sabotage::CHECKPOINTS {
            return;
        }
        sabotage::crash_meanwhile("in-checkpoint");
        if let Some(connection) = &self.connection
            && let Err(error) = checkpoint(connection)
        {
            tracing::warn!(%error, "the write-ahead log cannot be emptied");
        }
        // What could not be emptied is tried again when it has grown as much once more, not after each commit.
        self.checkpoint_above = wal_bytes() + self.options.max_wal_bytes;
    }
}

impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        self.check_room()?;
        let known = self.events.take();
        sabotage::crash("before-begin");
        let outcomes = self.transact(|connection| {
            let mut rows = Rows::new(connection);
            let outcomes = apply(&mut rows, batch)?;
            sabotage::crash("after-insert");
            rows.write_tails()?;
            sabotage::before_commit(&outcomes);
            sabotage::crash("before-commit");
            Ok(outcomes)
        })?;
        sabotage::crash("after-commit");
        self.events = known;
        let new = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Stored(_)));
        self.after_commit(new.count() as u64);
        Ok(outcomes)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        self.transact(|connection| {
            let sql = "DELETE FROM events WHERE offset < ?2 AND stream = (SELECT id FROM streams WHERE name = ?1)";
            let deleted = connection.execute(sql, (stream, to_sql(first)));
            sabotage::crash("before-forgetting");
            deleted.map(drop).map_err(store_error)
        })?;
        sabotage::crash("after-forgetting");
        self.after_commit(0);
        Ok(())
    }

    fn stored_by_others(&mut self) {
        self.events = None;
        self.after_commit(1);
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.readers) as Arc<dyn Reader>
    }

    fn close(mut self) -> Result<(), StoreError> {
        self.readers.close();
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        // With nobody else connected, this leaves one file that holds everything.
        let checkpointed = checkpoint(&connection);
        let closed = connection.close().map_err(|(_, error)| error);
        if checkpointed
            .and_then(|all| closed.map(|()| all))
            .map_err(store_error)?
            && let Err(error) = self.lock.all_is_flushed()
        {
            tracing::debug!(%error, "the note beside the database cannot be written");
        }
        Ok(())
    }
}

/// Runs in a transaction that is committed, or rolled back after an error of whatever kind.
fn transact<T>(
    connection: &mut Connection,
    run: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Takes the write lock at once, so that waiting for it is the first thing and not the last.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(store_error)?;
    let result = run(&transaction)?;
    transaction.commit().map_err(store_error)?;
    Ok(result)
}

fn count_events(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(last), 0) FROM streams";
    let count = connection.query_row(sql, [], |row| row.get::<_, i64>(0))?;
    Ok(count.unsigned_abs())
}

/// Moves the write-ahead log into the database and empties it, or leaves that to later if a reader is in the way.
/// Says whether all of it was moved, and with that flushed.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0).map(|busy| busy == 0)
    })
}

/// What an error of SQLite means for whoever waits for an answer.
fn store_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        // A constraint can only break if what was looked up before the insert was not the truth, and a statement
        // can only be wrong (`Unknown`) if a table is not there.
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::Unknown,
        ) => StoreError::Corrupt(error.to_string()),
        Some(_) => StoreError::Unavailable(error.to_string()),
        // The library does not understand the value it got.
        None => StoreError::Corrupt(error.to_string()),
    }
}

/// The path of a file that stands beside the database and is named after it.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
