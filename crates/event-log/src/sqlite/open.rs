//! Decides whether a file is ours to write, and brings it to the present schema.
//!
//! Everything up to the lock only looks; what follows is undone where it ends in a refusal.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::boot;
use super::header::{self, Found, HEADER_LEN, JOURNAL_HEADER_LEN};
use super::lock::{LockError, LockFile, Mark};
use super::reader::{self, Readers};
use super::schema::{self, read_epoch, write_epoch};
use super::{
    OpenError, Options, SqliteStore, Synchronous, beside, count_events, store_error, transact,
};
use crate::{Epoch, StoreError, sabotage};

pub(super) fn open(path: &Path, options: Options) -> Result<SqliteStore, OpenError> {
    let path = resolve(path)?;
    let lock = LockFile::take_existing(&path).map_err(|error| lock_refused(&path, &error))?;
    let found = look(&path, options.application_id)?;
    writable(&path)?;
    let litter = Litter::before(&path);
    let lock = match lock {
        Some(lock) => lock,
        None => LockFile::create(&path).map_err(|error| lock_refused(&path, &error))?,
    };
    let opened = prepare(&path, &options, found, &lock);
    let (epoch, connection, events) = opened.map_err(|error| {
        litter.remove();
        refused(&path, error)
    })?;
    let lock = Arc::new(lock);
    Ok(SqliteStore {
        readers: Arc::new(Readers::new(path.clone(), Arc::clone(&lock))),
        epoch,
        connection: Some(connection),
        events: Some(events),
        checkpoint_above: options.max_wal_bytes,
        path,
        options,
        lock,
    })
}

/// The writing connection, as it is used from now on.
pub(super) fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let connection = attach(path, options)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        let mode: String = row.get(0)?;
        // A file system without shared memory keeps the old mode; the durability promised here needs the new one.
        if mode == "wal" {
            Ok(())
        } else {
            Err(rusqlite::Error::InvalidQuery)
        }
    })?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "fullfsync", options.synchronous == Synchronous::Full)?;
    connection.pragma_update(None, "wal_autocheckpoint", options.wal_autocheckpoint)?;
    Ok(connection)
}

fn attach(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.write_timeout)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// The path without links, so that two names of one database have one lock.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let absolute = std::path::absolute(path).map_err(|error| OpenError::from_io(path, &error))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(OpenError::NotADatabase { path: absolute });
    };
    match fs::canonicalize(&absolute) {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(OpenError::from_io(&absolute, &error)),
    }
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(OpenError::MissingFolder {
                folder: folder.to_owned(),
            })
        }
        Err(error) => Err(OpenError::from_io(folder, &error)),
    }
}

/// Whose database it is, from its header alone. `None` if there is none yet, else its schema version.
fn look(path: &Path, application_id: u32) -> Result<Option<u32>, OpenError> {
    let owned = || path.to_owned();
    // A pipe would be waited for, and a folder cannot be read.
    if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return Err(OpenError::NotADatabase { path: owned() });
    }
    let Some(start) = beginning(path, HEADER_LEN)? else {
        return Ok(None);
    };
    // The power went while the database was made: what is there of it may be anything.
    let journal = beginning(&beside(path, "-journal"), JOURNAL_HEADER_LEN)?;
    let found = if journal.is_some_and(|journal| header::journal_of_nothing(&journal)) {
        Found::Empty
    } else {
        header::inspect(&start, application_id)
    };
    let known = schema::NEWEST;
    match found {
        Found::NotADatabase => Err(OpenError::NotADatabase { path: owned() }),
        Found::OtherApplication => Err(OpenError::OtherApplication { path: owned() }),
        Found::Ours(found) if found > known => Err(OpenError::NewerSchema {
            path: owned(),
            found,
            known,
        }),
        // Whoever makes a database writes both numbers in one transaction.
        Found::Ours(0) => Err(OpenError::Corrupt {
            path: owned(),
            what: "it has a schema of version 0, which there never was".to_owned(),
        }),
        Found::Ours(found) => Ok(Some(found)),
        // SQLite would throw the write-ahead log away, and with it what the file has lost.
        Found::Empty if fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0) => {
            let what = "the file is empty and its write-ahead log is not".to_owned();
            Err(OpenError::Corrupt {
                path: owned(),
                what,
            })
        }
        Found::Empty => Ok(None),
    }
}

/// The first bytes of a file, as far as it has them. `None` if there is no file.
fn beginning(path: &Path, length: usize) -> Result<Option<Vec<u8>>, OpenError> {
    let mut start = Vec::new();
    let read = match File::open(path) {
        Ok(file) => file.take(length as u64).read_to_end(&mut start),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error),
    };
    read.map_err(|error| OpenError::from_io(path, &error))?;
    Ok(Some(start))
}

/// Refuses a file or folder that is protected, also against the user whom protection does not stop.
fn writable(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(path);
    for place in [path, folder] {
        if fs::metadata(place).is_ok_and(|place| place.permissions().readonly()) {
            return Err(OpenError::NotWritable {
                path: place.to_owned(),
            });
        }
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::from_io(path, &error)),
    }
}

/// Makes or checks the database, and opens the writing connection.
fn prepare(
    path: &Path,
    options: &Options,
    found: Option<u32>,
    lock: &LockFile,
) -> Result<(Epoch, Connection, u64), StoreError> {
    match found {
        None => create(path, options)?,
        Some(version) => {
            sabotage::crash("before-flush");
            if options.synchronous == Synchronous::Full {
                flush(path).map_err(unavailable)?;
            }
            sabotage::crash("after-flush");
            check(path, options)?;
            if version < schema::NEWEST {
                let mut connection = attach(path, options).map_err(store_error)?;
                schema::bring_up(&mut connection, version)?;
            }
        }
    }
    let mut connection = connect(path, options).map_err(store_error)?;
    let events = count_events(&connection).map_err(store_error)?;
    let epoch = read_epoch(&connection)?;
    let boot = boot::id();
    let is_same = match (found, lock.mark()) {
        // Nobody knows it yet, unless it was removed and is made again under a name that is given.
        (None, mark) => mark.is_none_or(|mark| mark.epoch != epoch),
        // A copy that was put in place of a later file has the mark of that beside it, or none.
        (Some(_), Some(mark)) => mark.epoch == epoch && mark.events <= events,
        (Some(_), None) => false,
    };
    let lost = !is_same || lock.may_have_lost(boot.as_deref());
    let epoch = if lost {
        rename(&mut connection, epoch, events)?
    } else {
        epoch
    };
    sabotage::crash("before-mark");
    lock.remember(Mark { epoch, events }).map_err(unavailable)?;
    sabotage::crash("after-mark");
    let noted = match options.synchronous {
        Synchronous::Normal => lock.note_unflushed(boot.as_deref()),
        // The new name is on the disk.
        Synchronous::Full if lost => lock.all_is_flushed(),
        Synchronous::Full => Ok(()),
    };
    // From now on a mark that is missing was taken away, and not lost with the power.
    let noted = noted.and_then(|()| lock.flush(path));
    noted.map_err(unavailable)?;
    Ok((epoch, connection, events))
}

/// A process that was killed between the last write of a commit and its flush has left a commit that only the system's
/// cache holds. It counts as stored from now on, and a retry of its events would be answered without another flush.
///
/// Before any connection is there: closing a file gives up the locks that SQLite has on it.
fn flush(path: &Path) -> std::io::Result<()> {
    // Some systems flush for nobody who may not write.
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    open(path)?.sync_all()?;
    match open(&beside(path, "-wal")) {
        Ok(log) => log.sync_all()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    // The log's name may be as new as what is in it.
    let folder = path.parent().unwrap_or(path);
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Gives the history a new name: an older copy was put in place, or may have been, or the newest events are gone with the
/// write-ahead log or the power. Its next offsets were given out before.
fn rename(connection: &mut Connection, epoch: Epoch, events: u64) -> Result<Epoch, StoreError> {
    let new_epoch = random_epoch()?;
    tracing::warn!(%epoch, %new_epoch, events, "the database has lost events since it was used last, or may have, so its history gets a new name");
    transact(connection, |connection| {
        write_epoch(connection, new_epoch)?;
        sabotage::crash("before-rename");
        Ok(())
    })?;
    sabotage::crash("after-rename");
    Ok(new_epoch)
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn create(path: &Path, options: &Options) -> Result<(), StoreError> {
    let epoch = options.new_epoch.map_or_else(random_epoch, Ok)?;
    // An empty file is an empty database.
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    made.map_err(unavailable)?;
    let mut connection = attach(path, options).map_err(store_error)?;
    transact(&mut connection, |connection| {
        schema::make(connection)?;
        let set = connection.pragma_update(None, "application_id", options.application_id);
        set.map_err(store_error)?;
        write_epoch(connection, epoch)
    })
}

/// Looks for damage, without leaving a trace.
///
/// The ends of each stream are always looked at. A file of moderate size is read as a whole: its structure, the CRC
/// of every event, and that no offset is missing. A larger one would keep the server waiting for too long, and
/// its events are checked as they are read, as all are.
fn check(path: &Path, options: &Options) -> Result<(), StoreError> {
    let connection = attach(path, options).map_err(store_error)?;
    // Alone and without shared memory: the index of the write-ahead log is then built in memory only.
    let exclusive = connection.pragma_update(None, "locking_mode", "EXCLUSIVE");
    exclusive.map_err(store_error)?;
    let keep_log = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    keep_log.map_err(store_error)?;
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let streams = reader::streams(&connection)?;
    read_epoch(&connection)?;
    if bytes(path) + bytes(&beside(path, "-wal")) > options.check_up_to_bytes {
        return Ok(());
    }
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let verdict = verdict.map_err(store_error)?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt(verdict));
    }
    let sql = "SELECT stream, offset, author, key, content, at, crc FROM events \
               WHERE stream = (SELECT id FROM streams WHERE name = ?1) ORDER BY offset";
    let mut select = connection.prepare(sql).map_err(store_error)?;
    for (name, bounds) in streams {
        let mut rows = select.query([&name]).map_err(store_error)?;
        let name = Arc::from(name);
        let mut expected = bounds.first;
        while let Some(row) = rows.next().map_err(store_error)? {
            if reader::event(row, &name)?.offset != expected {
                return Err(StoreError::Corrupt(format!(
                    "stream {name:?} has no event {expected}"
                )));
            }
            expected = expected.next();
        }
    }
    Ok(())
}

fn random_epoch() -> Result<Epoch, StoreError> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Epoch::from_random(bytes))
}

/// Files that did not exist before, to be removed if the database is refused after all.
struct Litter(Vec<PathBuf>);

impl Litter {
    /// Notes what is not there.
    fn before(path: &Path) -> Self {
        let files = ["", "-journal", "-wal", "-shm", "-lock"].map(|suffix| beside(path, suffix));
        Self(files.into_iter().filter(|file| !file.exists()).collect())
    }

    fn remove(&self) {
        for file in &self.0 {
            // If it cannot be removed it was not made.
            let _ = fs::remove_file(file);
        }
    }
}

fn lock_refused(path: &Path, error: &LockError) -> OpenError {
    match error {
        LockError::Held => OpenError::Held {
            path: path.to_owned(),
        },
        LockError::Failed(error) if error.kind() == ErrorKind::PermissionDenied => {
            OpenError::NotWritable {
                path: path.parent().unwrap_or(path).to_owned(),
            }
        }
        LockError::Failed(error) => OpenError::from_io(path, error),
    }
}

fn refused(path: &Path, error: StoreError) -> OpenError {
    let path = path.to_owned();
    match error {
        StoreError::Busy => OpenError::Held { path },
        StoreError::Corrupt(what) => OpenError::Corrupt { path, what },
        StoreError::Unavailable(reason) => OpenError::Unavailable { path, reason },
        StoreError::Closed => OpenError::Unavailable {
            path,
            reason: StoreError::Closed.to_string(),
        },
    }
}
