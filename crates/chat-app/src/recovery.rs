//! The sessions of visitors in a file of SQLite's, so that who was cut off comes back as who it was, also to a program
//! that was stopped or killed meanwhile.
//!
//! Each record is one transaction of a write-ahead log that is handed to the operating system and not flushed to the
//! disk: it takes microseconds, and survives the process but not the machine. What was written before the machine was
//! started is therefore thrown away (see `file`), and visitors begin anew, as they do when anything in the file does not
//! fit together. What is said in the chat has nothing to do with it: that is the log's.

mod content;
mod file;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use socketio::recovery::{Epoch, Record, Saved, Store, StoreError};

use self::file::File;

pub use self::file::{OpenError, check};

/// A file of sessions. One process has it at a time.
#[derive(Debug)]
pub struct SessionFile {
    since: Instant,
    /// Guards the connection, for one transaction at a time.
    writer: Mutex<Writer>,
    checkpointer: Checkpointer,
    /// The last to be dropped, as its lock is: SQLite removes its log by name when the connection closes, and that must not
    /// be another process's.
    file: File,
}

/// The thread that moves what was written from the log into the file.
#[derive(Debug)]
struct Checkpointer {
    /// Wakes it. It ends when this is dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    records: u32,
}

impl SessionFile {
    /// Opens a file, or makes it. What it has of an earlier process counts as left at `now`.
    pub fn open(path: &Path, now: Instant) -> Result<Arc<Self>, OpenError> {
        let (file, connection) = File::open(path)?;
        let second = file.connect().map_err(|error| file.unusable(&error))?;
        let checkpointer = Checkpointer::start(second).map_err(|error| file.unusable(&error))?;
        Ok(Arc::new(Self {
            since: now,
            writer: Mutex::new(Writer {
                connection,
                records: 0,
            }),
            checkpointer,
            file,
        }))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_load(&self, namespace: &str) -> Result<Option<Saved>, StoreError> {
        let connection = &self.writer().connection;
        let epoch: Option<String> = connection
            .query_row(SELECT_EPOCH, [namespace], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let Some(epoch) = epoch else { return Ok(None) };
        let epoch = Epoch::parse(&epoch).ok_or_else(damaged)?;
        connection
            .execute(SEE_NAMESPACE, [namespace])
            .map_err(failed)?;
        let (first, events) = content::read_events(connection, namespace)?;
        Ok(Some(Saved {
            epoch,
            first,
            events,
            sessions: content::read_sessions(connection, namespace)?,
            since: self.since,
        }))
    }

    fn try_record(&self, namespace: &str, record: &Record<'_>) -> rusqlite::Result<()> {
        let mut writer = self.writer();
        writer.records = writer.records.wrapping_add(1);
        if writer.records.is_multiple_of(RECORDS_PER_CHECKPOINT) {
            self.checkpointer.wake();
        }
        let transaction = writer.connection.transaction()?;
        write(&transaction, namespace, record)?;
        transaction.commit()
    }

    fn try_forget(&self, namespace: &str) -> rusqlite::Result<()> {
        let mut writer = self.writer();
        let transaction = writer.connection.transaction()?;
        remove(&transaction, namespace)?;
        transaction.commit()
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        // Its connection closes before the lock is given back.
        self.checkpointer.stop();
    }
}

impl Checkpointer {
    fn start(connection: Connection) -> io::Result<Self> {
        let (wake, due) = sync_channel(1);
        // Ends with the sender.
        let thread = thread::Builder::new()
            .name("sessions".to_owned())
            .spawn(move || {
                while due.recv().is_ok() {
                    // One that comes to nothing is made up for by the next.
                    let _ = connection.pragma_query(None, "wal_checkpoint", |_| Ok(()));
                }
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // It may be at it already.
            let _ = wake.try_send(());
        }
    }

    fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been reported, and nothing depends on it.
            let _ = thread.join();
        }
    }
}

impl Store for SessionFile {
    fn load(&self, namespace: &str) -> Result<Option<Saved>, StoreError> {
        let loaded = self.try_load(namespace);
        if loaded.is_err() {
            self.forget(namespace);
        }
        loaded
    }

    fn record(&self, namespace: &str, record: &Record<'_>) -> Result<(), StoreError> {
        self.try_record(namespace, record).map_err(failed)
    }

    fn forget(&self, namespace: &str) {
        if let Err(error) = self.try_forget(namespace) {
            tracing::warn!(%error, "the sessions that are stored are no good any more");
            // Whoever comes to the next process finds nothing, rather than too little.
            self.file.destroy();
        }
    }
}

fn write(
    transaction: &Transaction<'_>,
    namespace: &str,
    record: &Record<'_>,
) -> rusqlite::Result<()> {
    match record {
        Record::Begin(epoch) => {
            remove(transaction, namespace)?;
            transaction
                .prepare_cached(INSERT_NAMESPACE)?
                .execute(params![namespace, epoch.as_str()])?;
        }
        Record::Event {
            number,
            address,
            frames,
            pruned,
        } => {
            content::write_event(transaction, namespace, *number, address, frames)?;
            // Not one by one: a few more do no harm.
            if number.is_multiple_of(64) {
                transaction
                    .prepare_cached(DELETE_EVENTS)?
                    .execute(params![namespace, pruned.cast_signed()])?;
            }
        }
        Record::Session(session) => content::write_session(transaction, namespace, session)?,
        Record::SessionOver(pid) => {
            for delete in [DELETE_SESSION, DELETE_VALUES] {
                transaction
                    .prepare_cached(delete)?
                    .execute(params![namespace, pid.as_str()])?;
            }
        }
        Record::Data { pid, key, value } => {
            content::write_value(transaction, namespace, pid, key, value)?;
        }
    }
    Ok(())
}

fn remove(transaction: &Transaction<'_>, namespace: &str) -> rusqlite::Result<()> {
    for table in ["namespace", "event", "session", "value"] {
        let delete = format!("DELETE FROM {table} WHERE namespace = ?1");
        transaction.prepare_cached(&delete)?.execute([namespace])?;
    }
    Ok(())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn failed(error: rusqlite::Error) -> StoreError {
    StoreError(error.to_string())
}

fn damaged() -> StoreError {
    StoreError("what was stored does not fit together".to_owned())
}

const SELECT_EPOCH: &str = "SELECT epoch FROM namespace WHERE namespace = ?1";
const SEE_NAMESPACE: &str =
    "UPDATE namespace SET seen = (SELECT run FROM header) WHERE namespace = ?1";
const INSERT_NAMESPACE: &str =
    "INSERT INTO namespace (namespace, epoch, seen) VALUES (?1, ?2, (SELECT run FROM header))";
const DELETE_EVENTS: &str = "DELETE FROM event WHERE namespace = ?1 AND number <= ?2";
const DELETE_SESSION: &str = "DELETE FROM session WHERE namespace = ?1 AND pid = ?2";
const DELETE_VALUES: &str = "DELETE FROM value WHERE namespace = ?1 AND pid = ?2";

/// About as many pages as SQLite itself would wait for.
const RECORDS_PER_CHECKPOINT: u32 = 500;

#[cfg(test)]
mod tests;
